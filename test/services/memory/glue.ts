import type { EngineSize } from '../../../schemas/contract.ts'
import type { CatalogPartition, Glue, JobStatus, TableName } from '../../../services/jobs/glue.ts'
import { TryAgain } from '../../../services/lambda/errors.ts'

type JobRun = JobStatus & { job: string; manifest: string; size: EngineSize; holdsSlot: boolean }
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
  readonly catalog = new Map<string, string>()
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

  /** What a crawl does to the catalog: it adds partitions, and drops none. */
  crawl(partitions: CatalogPartition[]): void {
    for (const { value, location } of partitions) if (!this.catalog.has(value)) this.catalog.set(value, location)
  }

  async partitions(_table: TableName): Promise<CatalogPartition[]> {
    this.#answer('partitions')
    return [...this.catalog].map(([value, location]) => ({ value, location }))
  }

  /** As BatchCreatePartition: a value that is there stays as it is. */
  async addPartitions(_table: TableName, partitions: CatalogPartition[]): Promise<void> {
    this.#answer('addPartitions')
    this.crawl(partitions)
  }

  async dropPartitions(_table: TableName, values: string[]): Promise<void> {
    this.#answer('dropPartitions')
    for (const value of values) this.catalog.delete(value)
  }
}
