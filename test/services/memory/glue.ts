import type { GlueView } from '../../../schemas/compiler/glue-view.ts'
import type { EngineSize } from '../../../schemas/contract.ts'
import type { CatalogPartition, CatalogTable, Glue, JobStatus, TableName } from '../../../services/jobs/glue.ts'
import { TryAgain } from '../../../services/lambda/errors.ts'

type JobRun = JobStatus & { job: string; manifest: string; size: EngineSize; holdsSlot: boolean }
type Entry = CatalogTable & { partitions: Map<string, string> }
const nameOf = ({ database, name }: TableName) => `${database}.${name}`
const refusal = (name: string) => Object.assign(new Error(name), { name, $metadata: { httpStatusCode: 400 } })
export type JobEnd = 'SUCCEEDED' | 'FAILED' | 'TIMEOUT' | 'STOPPED'

/** Glue as the stages use it. Job runs and crawls end when a test ends them, and free their slots when it says so. */
export class MemoryGlue implements Glue {
  /** Oldest first. */
  readonly jobs: JobRun[] = []
  /** READY, or RUNNING; a crawl that has ended is STOPPING until this time, in epoch milliseconds. */
  #crawling = false
  stoppingUntil = 0
  crawls = 0
  maxConcurrentRuns = 5
  readonly tables = new Map<string, Entry>()
  /** Whether a view may take the place of a table: nobody has tried it on AWS. */
  takesViews = true
  /** What a call throws, for as long as it is here: a right that is missing, throttling, an outage. */
  readonly trouble = new Map<keyof Glue, Error>()
  readonly #now: () => Date

  constructor(now: () => Date) {
    this.#now = now
  }

  #answer(call: keyof Glue) {
    const error = this.trouble.get(call)
    if (error) throw error
  }

  async startJob(job: string, manifest: string, size: EngineSize): Promise<string> {
    this.#answer('startJob')
    const held = this.jobs.filter((run) => run.job === job && run.holdsSlot).length
    if (held >= this.maxConcurrentRuns)
      throw new TryAgain('glue_busy', `Glue would not start a run of ${job} now: ConcurrentRunsExceededException.`)
    const id = `jr_${this.jobs.length + 1}`
    this.jobs.push({
      id,
      job,
      manifest,
      size,
      state: 'running',
      why: 'RUNNING',
      holdsSlot: true,
      startedAt: this.#now().toISOString(),
    })
    return id
  }

  get running(): JobRun[] {
    return this.jobs.filter(({ state }) => state === 'running')
  }

  /** Glue tells of an end before it frees the slot. */
  end(id: string, how: JobEnd = 'SUCCEEDED', message?: string, slot: 'freed' | 'held' = 'freed'): void {
    const run = this.jobs.find((each) => each.id === id)
    if (!run) throw new Error(`There is no run ${id}`)
    Object.assign(run, {
      state: how === 'SUCCEEDED' ? 'succeeded' : 'failed',
      why: how,
      message,
      endedAt: this.#now().toISOString(),
      holdsSlot: slot === 'held',
    })
  }

  /** The slot of a run that has ended. */
  free(id: string): void {
    const run = this.jobs.find((each) => each.id === id)
    if (run) run.holdsSlot = false
  }

  async job(_job: string, id: string): Promise<JobStatus | undefined> {
    this.#answer('job')
    const run = this.jobs.find((each) => each.id === id)
    return run && { ...run }
  }

  async jobByManifest(job: string, manifest: string): Promise<JobStatus | undefined> {
    this.#answer('jobByManifest')
    const run = this.jobs.findLast((each) => each.job === job && each.manifest === manifest)
    return run && { ...run }
  }

  async startCrawler(crawler: string): Promise<void> {
    this.#answer('startCrawler')
    if (this.crawler !== 'READY')
      throw new TryAgain('glue_busy', `Glue would not start ${crawler} now: CrawlerRunningException.`)
    this.#crawling = true
    this.crawls++
  }

  get crawler(): 'READY' | 'RUNNING' | 'STOPPING' {
    if (this.#crawling) return 'RUNNING'
    return this.stoppingUntil > this.#now().getTime() ? 'STOPPING' : 'READY'
  }

  /** AWS tells of a crawl's end while its crawler is still stopping. */
  endCrawl(stoppingMs = 10_000): void {
    this.#crawling = false
    this.stoppingUntil = this.#now().getTime() + stoppingMs
  }

  async crawlerReady(): Promise<boolean> {
    this.#answer('crawlerReady')
    return this.crawler === 'READY'
  }

  /** A table as a template declares it. One that is there stays as it is. */
  declare(table: TableName): void {
    if (!this.tables.has(nameOf(table)))
      this.tables.set(nameOf(table), { isView: false, parameters: {}, partitions: new Map() })
  }

  #entry(table: TableName): Entry {
    const found = this.tables.get(nameOf(table))
    if (!found) throw refusal('EntityNotFoundException')
    return found
  }

  /** Partitions of the first table: a world has one, until a later version of its contract is deployed. */
  get catalog(): Map<string, string> {
    return [...this.tables.values()][0]?.partitions ?? new Map()
  }

  /** What a crawl does to a table: it adds partitions, and drops none. */
  crawl(table: TableName, partitions: CatalogPartition[]): void {
    const known = this.#entry(table).partitions
    for (const { value, location } of partitions) if (!known.has(value)) known.set(value, location)
  }

  async partitions(table: TableName): Promise<CatalogPartition[]> {
    this.#answer('partitions')
    return [...this.#entry(table).partitions].map(([value, location]) => ({ value, location }))
  }

  /** As BatchCreatePartition: a value that is there stays as it is. */
  async addPartitions(table: TableName, partitions: CatalogPartition[]): Promise<void> {
    this.#answer('addPartitions')
    this.crawl(table, partitions)
  }

  async dropPartitions(table: TableName, values: string[]): Promise<void> {
    this.#answer('dropPartitions')
    for (const value of values) this.#entry(table).partitions.delete(value)
  }

  async table(table: TableName): Promise<CatalogTable | undefined> {
    this.#answer('table')
    const found = this.tables.get(nameOf(table))
    if (!found) return undefined
    const { partitions: _, ...facts } = found
    return structuredClone(facts)
  }

  /** As UpdateTable: partitions stay with the name. */
  async putView(database: string, view: GlueView): Promise<boolean> {
    this.#answer('putView')
    const found = this.#entry({ database, name: view.Name })
    if (!found.isView && !this.takesViews) return false
    Object.assign(found, { isView: true, parameters: view.Parameters, viewText: view.ViewOriginalText })
    return true
  }

  async createView(database: string, view: GlueView): Promise<void> {
    this.#answer('createView')
    const name = nameOf({ database, name: view.Name })
    if (this.tables.has(name)) throw new TryAgain('table_exists', `${name} came to be meanwhile.`)
    const { Parameters: parameters, ViewOriginalText: viewText } = view
    this.tables.set(name, { isView: true, parameters, viewText, partitions: new Map() })
  }

  async dropTable(table: TableName): Promise<void> {
    this.#answer('dropTable')
    this.tables.delete(nameOf(table))
  }

  /** Where a query of this name finds its objects. @throws Error as a query does of a name that means nothing */
  resolve(table: TableName): string[] {
    const found = this.tables.get(nameOf(table))
    if (!found) throw new Error(`TABLE_NOT_FOUND: ${nameOf(table)}`)
    if (!found.isView) return [...found.partitions.values()]
    const [, base64 = ''] = /^\/\* Presto View: (.*) \*\/$/.exec(found.viewText ?? '') ?? []
    const { originalSql } = JSON.parse(Buffer.from(base64, 'base64').toString()) as { originalSql: string }
    const [, database = '', name = ''] = / FROM "(.*)"\."(.*)"$/.exec(originalSql) ?? []
    return this.resolve({ database, name })
  }
}
