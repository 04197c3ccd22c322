import { S3ObjectEvent, sample } from '../../../events/s3-object.ts'
import { compile } from '../../../schemas/compiler/plan.ts'
import { type Contract, parseContract } from '../../../schemas/contract.ts'
import { deliveryPrefix, physicalTable } from '../../../schemas/locations.ts'
import type { SourceReport } from '../../../schemas/report.ts'
import { type CatalogDeps, changed, crawlEnded, deliveryChanged, wake } from '../../../services/catalog/catalog.ts'
import { endRerun } from '../../../services/catalog/end-rerun.ts'
import { type ConvertDeps, convertInputs, csvLanded, settleConverted } from '../../../services/convert/convert.ts'
import { contractOf, type DispatchDeps, dispatch } from '../../../services/jobs/dispatch.ts'
import { type Arrival, arrivalOf } from '../../../services/jobs/intake.ts'
import { jobEnded } from '../../../services/jobs/job-ended.ts'
import { type Objects, S3Objects } from '../../../services/jobs/objects.ts'
import type { SettleStage } from '../../../services/jobs/settle.ts'
import { type Withdrawal, withdrawCsv, withdrawZip } from '../../../services/jobs/withdraw.ts'
import { LandfallError } from '../../../services/lambda/errors.ts'
import { MAX_RECEIVES } from '../../../services/lambda/receives.ts'
import { LIVE } from '../../../services/ledger/causes.ts'
import { sourceIdOf } from '../../../services/ledger/ids.ts'
import { Ledger } from '../../../services/ledger/ledger.ts'
import { openKey, pendingKey, type RerunFilter } from '../../../services/ledger/reruns.ts'
import { hasEnded, type Run } from '../../../services/ledger/run.ts'
import {
  aroundPublishing,
  isHalfPublished,
  isHandedOver,
  type PartitionDeps,
  parquetProcessed,
  partitionInputs,
  queueOverdue,
  settlePartitioned,
} from '../../../services/partition/partition.ts'
import { closeOrLeave } from '../../../services/rerun/close.ts'
import { sweepLandings } from '../../../services/sweep/landings.ts'
import { sweepLetters } from '../../../services/sweep/letters.ts'
import { type Reruns, type Swept, sweep } from '../../../services/sweep/sweep.ts'
import { type UnzipDeps, zipLanded } from '../../../services/unzip/unzip.ts'
import { Clock, counter } from './clock.ts'
import { MemoryDynamo } from './dynamo.ts'
import { MemoryJob, rowsOf } from './engine.ts'
import { type JobEnd, MemoryGlue } from './glue.ts'
import { letterOf } from './letters.ts'
import { MemoryObjects } from './objects.ts'
import { memoryS3 } from './s3-client.ts'
import { MemoryTable } from './table.ts'

export const RAW = 'raw'
export const STAGING = 'staging'
export const PROCESSING = 'processing'
export const DELIVERY = 'delivery'
export const QUARANTINE = 'quarantine'

export const contract = parseContract({
  dataset: 'sales',
  columns: [
    { source: 'N', name: 'N', type: 'int' },
    { source: 'COUNTRY', name: 'COUNTRY', type: 'string' },
  ],
  partitionBy: 'COUNTRY',
  table: { database: 'db', name: 'tab' },
  engine: { workers: { type: 'G.2X', most: 4 }, timeoutMinutes: 90 },
})

/** A later version of that contract: readers of the files published before could not read its rows. */
export const contractOfVersion = (version: number): Contract =>
  parseContract({
    ...contract,
    version,
    columns: [
      { source: 'N', name: 'N', type: 'bigint' },
      { source: 'COUNTRY', name: 'COUNTRY', type: 'string' },
    ],
  })

type Stage = 'unzip' | 'convert' | 'partition' | 'catalog'
export type Message = { to: Stage; receives: number } & (
  | { kind: 'object'; event: S3ObjectEvent }
  | { kind: 'job'; id: string }
  | { kind: 'crawl' }
  | { kind: 'rerun'; arrival: Arrival }
)

/** What the roles of the stages may list, all in all; of a missing object elsewhere S3 says 403. */
const listable = (bucket: string) => bucket !== QUARANTINE

/** Puts something between the stages and what they call: a crash, a turn to wait for. */
export type Wrap = <T extends object>(port: T) => T
/** What is under the ports: the clock, and AWS's clients and what they say of a missing object. */
export type Below = { clock?: Clock; clients?: Wrap; mayList?: (bucket: string) => boolean }
/** Stands for a process that died: its message comes back, as it does from SQS. */
export class Crash extends Error {}

/** All stages over the memory services. Nothing happens by itself: a test handles messages, ends jobs and crawls. */
export class World {
  readonly clock: Clock
  readonly table: MemoryTable
  readonly objects: MemoryObjects
  readonly glue: MemoryGlue
  readonly job: MemoryJob
  readonly contracts = new Map<string, Contract>()
  /** The books as they are, past anything that is put between. */
  readonly books: Ledger
  readonly messages: Message[] = []
  /** Every object event, as the archive keeps it, with the stage that it went to. */
  readonly archive: { to: Stage; event: S3ObjectEvent }[] = []
  /** Handed out as often as a message may be. */
  readonly deadLetters: Message[] = []
  readonly errors: unknown[] = []
  /** What the sweep said of dead letters that need nothing. */
  readonly told: Swept[] = []
  readonly deps: DispatchDeps & ConvertDeps & PartitionDeps & UnzipDeps & CatalogDeps
  readonly convert: SettleStage
  readonly partition: SettleStage

  readonly #revive: () => Promise<void>

  /** @param revive is called when a function has ended, however it did */
  constructor(
    wrap: Wrap = (port) => port,
    revive = async () => {},
    first = contract,
    { clock = new Clock(), clients = (client) => client, mayList = listable }: Below = {},
  ) {
    this.#revive = revive
    this.clock = clock
    this.objects = new MemoryObjects(clock.now, [STAGING])
    this.glue = new MemoryGlue(clock.now)
    this.job = new MemoryJob(this.objects, clock.now)
    const dynamo = new MemoryDynamo()
    this.table = new MemoryTable(dynamo, clients(dynamo.client))
    this.books = new Ledger(this.table, clock.now)
    this.deploy(first)
    const s3 = () => clients(memoryS3(this.objects, mayList))
    this.deps = {
      ledger: new Ledger(wrap<MemoryTable>(this.table), this.clock.now),
      objects: wrap<Objects>(new S3Objects(s3())),
      glue: wrap<MemoryGlue>(this.glue),
      s3: wrap(s3()),
      unique: counter(),
      sleep: this.clock.sleep,
      contracts: this.contracts,
      crawlers: { sales: 'crawler' },
      rawBucket: RAW,
      stagingBucket: STAGING,
      processingBucket: PROCESSING,
      deliveryBucket: DELIVERY,
      quarantineBucket: QUARANTINE,
    }
    const plan = () => compile(this.contract)
    const size = () => this.contract.engine
    this.convert = {
      stage: 'convert',
      jobName: 'convert',
      plan,
      size,
      inputs: (run) => convertInputs(this.deps, run),
      settle: (...args) => settleConverted(this.deps, ...args),
    }
    this.partition = {
      stage: 'partition',
      jobName: 'partition',
      plan,
      size,
      inputs: (run) => partitionInputs(this.deps, run),
      settle: (...args) => settlePartitioned(this.deps, ...args),
      isHandedOver,
      isHalfDone: (run) => isHalfPublished(this.deps, run),
      around: aroundPublishing(this.deps),
    }
    this.objects.onEvent = (event) => this.#route(event)
  }

  get contract(): Contract {
    return contractOf(this.contracts, contract.dataset)
  }

  /** Its table is there from now on, and all functions know it. */
  deploy(next: Contract): void {
    this.contracts.set(next.dataset, next)
    this.glue.declare(physicalTable(next))
  }

  #route(event: S3ObjectEvent) {
    const { bucket, object } = event.detail
    const created = event['detail-type'] === 'Object Created'
    const to = (stage: Stage) => {
      this.archive.push({ to: stage, event })
      this.messages.push({ to: stage, kind: 'object', event, receives: 0 })
    }
    if (bucket.name === RAW && created && object.key.startsWith('landing/')) to('unzip')
    if (bucket.name === RAW && created && object.key.startsWith('data/')) to('convert')
    if (bucket.name === PROCESSING && created && object.key.startsWith('data/')) to('partition')
    if (bucket.name === DELIVERY && object.key.startsWith('data/')) to('catalog')
  }

  /** One message as its stage's function handles it, alone in its batch; if it fails, it comes back as of SQS. */
  async handle(message: Message): Promise<void> {
    message.receives++
    try {
      await this.work(message)
    } catch (error) {
      this.errors.push(error)
      if (message.receives < MAX_RECEIVES) this.messages.push(message)
      else this.deadLetters.push(message)
    } finally {
      await this.#revive()
    }
  }

  /** What the function of a message's stage does with it. */
  async work(message: Message): Promise<void> {
    const dataset = await this.#take(message)
    if (dataset === undefined) return
    if (message.to !== 'catalog') {
      if (message.to === 'unzip') return
      await this.dispatch(message.to, dataset)
      await closeOrLeave(this.deps, dataset)
      return
    }
    const isLive = message.kind === 'object' && message.event['replay-name'] === undefined
    const at = isLive ? new Date(message.event.time) : undefined
    try {
      if ((await changed(this.deps, dataset, at)) === 'settled') await endRerun(this.deps, dataset)
    } catch (error) {
      const waits = error instanceof LandfallError && error.retryable
      if (message.kind !== 'object' || !waits) throw error
    }
  }

  async dispatch(stage: 'convert' | 'partition', dataset = 'sales') {
    try {
      return await dispatch(this.deps, this[stage], dataset)
    } catch (error) {
      if (error instanceof LandfallError && error.retryable) return 'waits'
      throw error
    }
  }

  async #take(message: Message): Promise<string | undefined> {
    const { deps } = this
    if (message.kind === 'crawl') {
      await crawlEnded(deps, 'sales')
      await endRerun(deps, 'sales')
      await wake(deps, 'sales')
      return undefined
    }
    if (message.kind === 'job') {
      if (message.to !== 'convert' && message.to !== 'partition') throw new Error('No job stage')
      return await jobEnded({ deps, stage: this[message.to] }, message.id)
    }
    const lastReceive = message.receives >= MAX_RECEIVES
    if (message.kind === 'rerun') return await this.#asked({ ...message.arrival, lastReceive }, message.to)
    const { event } = message
    const replay = event['replay-name']
    const arrival = arrivalOf(event, replay ?? LIVE, lastReceive)
    if (message.to === 'unzip') {
      await zipLanded(deps, arrival)
      return undefined
    }
    if (message.to === 'convert') return await csvLanded(deps, arrival)
    if (message.to === 'partition') return await parquetProcessed(deps, event, replay)
    return await deliveryChanged(deps, event, replay)
  }

  async #asked(arrival: Arrival, to: Stage): Promise<string | undefined> {
    if (to === 'unzip') {
      await zipLanded(this.deps, arrival)
      await closeOrLeave(this.deps, 'sales')
      return undefined
    }
    await csvLanded(this.deps, arrival)
    return 'sales'
  }

  /** What the machine does, up to its waiting. @returns false where a rerun is at work */
  async rerun(name: string, filter: RerunFilter & { dryRun?: boolean } = {}, prefix = 'data/sales/'): Promise<boolean> {
    const rerun = `rerun-${name}`
    const { only, since } = filter
    const open = { ...openKey('sales'), rerun, execution: name, prefix, startedAt: this.books.instant(), ...filter }
    if (!(await this.table.write([{ put: open, when: [{ attribute: 'pk', is: 'absent' }] }]))) return false
    const keys = this.objects.keys(RAW, prefix)
    for (const key of keys) {
      await this.table.write([{ put: { ...pendingKey(rerun, key), key, askedAt: this.books.instant() } }])
      const to = key.startsWith('landing/') ? 'unzip' : 'convert'
      this.messages.push({
        to,
        kind: 'rerun',
        arrival: { bucket: RAW, key, cause: rerun, filter: { only, since } },
        receives: 0,
      })
    }
    await this.table.write([{ update: openKey('sales'), set: { listed: keys.length } }])
    return true
  }

  /** Handles what waits, and what comes of it, without any job or crawl ending. */
  async pump(): Promise<void> {
    for (let message = this.messages.shift(); message; message = this.messages.shift()) {
      if (message.receives > 0) this.clock.advance(5_000 * 4 ** message.receives)
      await this.handle(message)
    }
  }

  /** Ends every job that runs, as its work goes. */
  endJobs(change?: (report: SourceReport) => SourceReport): void {
    for (const { id, job, manifest } of this.glue.running) {
      const how: JobEnd = this.job.run(manifest, change) ? 'SUCCEEDED' : 'FAILED'
      this.endJob(id, job as Stage, how)
    }
  }

  endJob(id: string, to: Stage, how: JobEnd): void {
    this.clock.advance(1_000)
    this.glue.end(id, how, how === 'SUCCEEDED' ? undefined : 'Out of memory')
    this.messages.push({ to, kind: 'job', id, receives: 0 })
  }

  /** A crawl that finds every folder and does not decode its name: the worst that the documentation leaves open. */
  endCrawl(): void {
    const prefix = deliveryPrefix(this.contract)
    const folders = new Set(this.objects.keys(DELIVERY, prefix).map((key) => key.split('/')[2] ?? ''))
    this.glue.crawl(
      physicalTable(this.contract),
      [...folders].map((folder) => ({
        value: folder.slice(folder.indexOf('=') + 1),
        location: `s3://${DELIVERY}/${prefix}${folder}/`,
      })),
    )
    this.glue.endCrawl()
    this.messages.push({ to: 'catalog', kind: 'crawl', receives: 0 })
  }

  readonly reruns: Reruns = {
    isRunning: async () => false,
    take: async (key, { rerun, only, since }) => {
      await csvLanded(this.deps, { bucket: RAW, key, cause: rerun, filter: { only, since } })
    },
  }

  /** The stages' dead-letter queues, as whoever may only look into them sees them. */
  readonly letters = {
    queues: (['unzip', 'convert', 'partition', 'catalog'] as const).map((stage) => ({ stage, url: stage })),
    depth: async (url: string) => ({ waiting: this.deadLetters.filter(({ to }) => to === url).length, inFlight: 0 }),
    deadLetters: {
      peek: async (url: string, most: number) =>
        this.deadLetters
          .filter(({ to }) => to === url)
          .slice(0, most)
          .map((message) => letterOf(message, this.clock.now())),
    },
  }

  async sweep(): Promise<Swept[]> {
    const { deps } = this
    const stages = [
      { deps, stage: this.convert },
      { deps, stage: this.partition, overdue: (dataset: string) => queueOverdue(deps, dataset) },
    ]
    const letters = await sweepLetters({ ...deps, datasets: ['sales'], ...this.letters })
    const landings = await sweepLandings({
      ...deps,
      take: async (event) => void (await csvLanded(deps, arrivalOf(event, LIVE))),
      send: async (event) => void this.messages.push({ to: 'unzip', kind: 'object', event, receives: 0 }),
    })
    const { swept, errors } = await sweep(stages, deps, ['sales'], this.reruns)
    this.errors.push(...letters.errors, ...landings.errors, ...errors)
    this.told.push(...letters.told)
    await this.#revive()
    return [...letters.swept, ...landings.swept, ...swept]
  }

  /** Everything that goes on by itself, and the sweep each minute, until no run is open and nothing is at work. */
  async untilQuiet(minutes = 40): Promise<void> {
    for (let minute = 0; minute < minutes; minute++) {
      for (let busy = true; busy; ) {
        await this.pump()
        this.endJobs()
        if (this.glue.crawler === 'RUNNING') this.endCrawl()
        busy = this.messages.length > 0
      }
      if (this.runs().every(({ state }) => hasEnded(state)) && this.idle()) return
      this.clock.advance(60_000)
      await this.sweep()
    }
    const open = this.runs().filter(({ state }) => !hasEnded(state))
    throw new Error(`Not quiet after ${minutes} minutes: ${open.map(({ key, state }) => `${key} ${state}`)}`)
  }

  /** No slot is held, nothing is queued that may go now, and no lease that is not over: what a crash left open ends by itself. */
  idle(): boolean {
    const now = this.clock.ms
    const held = [...this.table.items.values()].some(
      ({ pk, sk, until, lockUntil, crawlUntil, notBefore }) =>
        (pk.startsWith('QUEUE#') && !(Number(notBefore ?? 0) > now)) ||
        (pk.startsWith('RERUN#') && sk === 'OPEN') ||
        [until, lockUntil, crawlUntil].some((lease) => Number(lease ?? 0) > now),
    )
    return !held && this.glue.running.length === 0
  }

  runs(): Run[] {
    const items = [...this.table.items.values()].filter(({ listing }) => listing === 'run')
    return (items as unknown as Run[]).sort((a, b) => a.key.localeCompare(b.key) || a.seq - b.seq)
  }

  states = (): string[] => this.runs().map(({ key, versionId, state }) => `${key} ${versionId} ${state}`)

  /** What a query of the name that people know answers: the rows in partitions that the catalog has. */
  rows(): string[] {
    return this.rowsIn(this.glue.resolve(this.contract.table))
  }

  /** What a query reads that knows where by now. */
  rowsIn(locations: string[]): string[] {
    return [...this.objects.texts(DELIVERY, 'data/')]
      .filter(([key]) => locations.some((location) => `s3://${DELIVERY}/${key}`.startsWith(location)))
      .flatMap(([, text]) => rowsOf(text))
      .sort()
  }

  /** Gives back what is in the DLQs, as a person does when the cause is mended. */
  redrive(): void {
    for (const message of this.deadLetters.splice(0)) this.messages.push({ ...message, receives: 0 })
  }

  /** All that the archive has for a stage, again. */
  replay(stage: Stage, name = `${stage}-${this.archive.length}-${this.clock.ms}`): string {
    for (const { to, event } of this.archive.filter(({ to }) => to === stage))
      this.messages.push({ to, kind: 'object', event: { ...event, 'replay-name': name }, receives: 0 })
    return name
  }

  /** As a person does: a zip, then its members; or one CSV. */
  async withdraw(key: string): Promise<Withdrawal> {
    const source = { dataset: 'sales', sourceId: sourceIdOf(key) }
    const zones = { processing: PROCESSING, delivery: DELIVERY }
    const members = (await this.books.head(source))?.members ?? []
    const done = key.startsWith('landing/')
      ? await withdrawZip(this.deps, source)
      : await withdrawCsv(this.deps, source, zones)
    for (const { sourceId } of members) await withdrawCsv(this.deps, { dataset: 'sales', sourceId }, zones)
    return done
  }

  /** The event of a key's current version again, as a replay or a rerun brings it to the first job stage. */
  async typeAgain(key: string, cause = 'convert-again'): Promise<void> {
    const found = await this.objects.head(RAW, key)
    if (!found) throw new Error(`${key} is not in the raw zone`)
    const event = sample('Object Created', RAW, key, 'PutObject')
    const object = { key, size: found.bytes, etag: found.etag, 'version-id': found.versionId }
    const detail = { ...event.detail, object }
    this.messages.push({
      to: 'convert',
      kind: 'object',
      event: S3ObjectEvent.parse({ ...event, detail, 'replay-name': cause }),
      receives: 0,
    })
  }

  land = (key: string, body: string | Buffer) => this.objects.put(RAW, key, body)
}
