import type { S3ObjectEvent } from '../../events/s3-object.ts'
import type { Contract } from '../../schemas/contract.ts'
import { partitionFolder } from '../../schemas/hive.ts'
import type { SourceReport, StagedPart } from '../../schemas/report.ts'
import { endRun } from '../jobs/fail.ts'
import { LOCK_MS, outdated, type PublishDeps, publish, publishedKeys } from '../jobs/publish.ts'
import type { ExecutedPlan, JobTimes } from '../jobs/settle.ts'
import { Failed, TryAgain } from '../lambda/errors.ts'
import { onItsWayMs } from '../lambda/receives.ts'
import { whilePublishing } from '../ledger/catalog-state.ts'
import { isMeant, noteSkipped } from '../ledger/causes.ts'
import type { Ending } from '../ledger/endings.ts'
import { deliveryKey, parseProcessingKey, processingPrefix } from '../ledger/ids.ts'
import { dueKey, duePk, queueItem } from '../ledger/queue.ts'
import { hasEnded, isOver, type Problem, type Run, type RunRef, runKey, staysQueued } from '../ledger/run.ts'
import type { Write } from '../ledger/table.ts'

export type PartitionDeps = PublishDeps & {
  contracts: Map<string, Contract>
  processingBucket: string
  deliveryBucket: string
}

/** The N parts of a run, in order, or undefined while some are missing. A listing decides, whatever the ledger says. */
export async function partsOf(
  { objects, processingBucket }: PartitionDeps,
  { dataset, sourceId, runId, typedBy }: RunRef & Pick<Run, 'typedBy'>,
) {
  const listed = await objects.list(processingBucket, processingPrefix(dataset, sourceId, typedBy?.runId ?? runId))
  const parts = listed
    .flatMap((object) => {
      const parsed = parseProcessingKey(object.key)
      return parsed ? [{ ...object, part: parsed.part, parts: parsed.parts }] : []
    })
    .sort((a, b) => a.part - b.part)
  const expected = parts[0]?.parts
  return expected !== undefined && parts.length === expected ? parts : undefined
}

/**
 * Queues a run for which all parts are there; the stage dispatches afterwards.
 * @param replay its name: of a run that has been through here, a new one partitions the same typed rows again
 */
export async function parquetProcessed(
  deps: PartitionDeps,
  { detail }: S3ObjectEvent,
  replay?: string,
): Promise<string | undefined> {
  const { key } = detail.object
  const ref = parseProcessingKey(key)
  if (!ref) return undefined
  const about = { key, dataset: ref.dataset, sourceId: ref.sourceId }
  if (replay && !(await isMeant(deps.ledger, replay, about))) return undefined
  // Before the listing: of a run that was converted by now, the listing must show all.
  const run = await deps.ledger.run(ref)
  if (run && replay && isOver(run, 'partition')) return await partitionAgain(deps, run, replay)
  if (!(await partsOf(deps, ref))) {
    if (run?.state === 'converted') await takenAway(deps, run)
    return undefined
  }
  if (!run) throw new Failed('unknown_run', `${key} is of a run that the ledger does not know.`)
  if (replay) await noteSkipped(deps.ledger, replay, about, 'in_work')
  if (staysQueued(run, 'partition')) return run.dataset
  if (hasEnded(run.state) || run.state === 'published') return undefined
  const why = typedOtherwise(deps, run)
  if (why !== undefined) {
    await supersede(deps, run, why)
    return undefined
  }
  await enqueue(deps, run)
  return run.dataset
}

/** Of several parts each has an event; the first one registers the run, and the others find it. */
async function partitionAgain(deps: PartitionDeps, typed: Run, replay: string): Promise<string | undefined> {
  const { ledger } = deps
  const parts = await partsOf(deps, typed)
  const message = parts
    ? await outdated(deps, typed)
    : `The typed rows of this version of ${typed.key} are not kept any more.`
  const problem = message ? { code: 'superseded', message } : (uncounted(typed) ?? typedOtherwise(deps, typed))
  const end: Ending | undefined = problem && { state: 'superseded', problem }
  const { rowsIn, accepted, rejected, reasons, processingRows, contractVersion, zip } = typed
  const as: Partial<Run> = {
    state: 'converted',
    typedBy: { runId: typed.runId, seq: typed.seq },
    parts: parts?.length,
    rowsIn,
    accepted,
    rejected,
    reasons,
    processingRows,
    contractVersion,
    zip,
    spanConvert: undefined,
    spanPartition: { queuedAt: ledger.instant() },
  }
  const { bucket, key, versionId, etag, bytes, landedAt } = typed
  const landed = { bucket, key, versionId, etag, bytes, landedAt }
  const { run } = await ledger.register('csv', typed.dataset, landed, replay, end, { queue: 'partition', as })
  return hasEnded(run.state) ? undefined : run.dataset
}

/** The first stage has failed after it published and before it told: its rows can be held against nothing, and it will not tell. */
function uncounted({ accepted, key, dataset }: Run): Problem | undefined {
  if (accepted !== undefined) return undefined
  const message = `The typed rows of this version of ${key} were never counted, for its conversion has failed: they are not partitioned. A rerun types it again: \`landfall rerun ${dataset} --only failed\`.`
  return { code: 'superseded', message }
}

/**
 * Why a run's rows have no place in the table of the contract that is deployed, or undefined. While the first stage has
 * yet to tell the ledger under which version it typed them, nobody can say: settling asks again.
 */
function typedOtherwise({ contracts }: PartitionDeps, run: Run): Problem | undefined {
  const deployed = contracts.get(run.dataset)?.version
  if (run.accepted === undefined || deployed === undefined) return undefined
  const { contractVersion = 1, dataset, key } = run
  if (contractVersion === deployed) return undefined
  const message = `${key} was typed under version ${contractVersion} of the contract of ${dataset}; version ${deployed} is deployed. A rerun types it again: \`landfall rerun ${dataset}\`.`
  return { code: 'other_version', message }
}

/** A second event of the same run finds it queued, or published, and changes nothing. */
async function enqueue(deps: PartitionDeps, run: Run): Promise<void> {
  await deps.ledger.table.write([
    { put: queueItem('partition', run), when: [{ attribute: 'pk', is: 'absent' }] },
    {
      update: runKey(run),
      set: { spanPartition: { queuedAt: deps.ledger.instant() } },
      when: [{ attribute: 'deliveredObjects', is: 'absent' }],
    },
    { delete: dueKey(run) },
  ])
}

/**
 * Queues converted runs whose objects' events were lost, or died in this stage's queue: the sweep dispatches them next.
 * @returns how many
 */
export async function queueOverdue(deps: PartitionDeps, dataset: string): Promise<number> {
  const { ledger } = deps
  let queued = 0
  for (const { pk, sk, sourceId, runId, since } of await ledger.table.query(duePk(dataset), 'ITEM#')) {
    if (ledger.now().getTime() - Number(since) < onItsWayMs()) continue
    const run = await ledger.run({ dataset, sourceId: String(sourceId), runId: String(runId) })
    if (run?.state === 'converted' && run.spanPartition === undefined) {
      if (await partsOf(deps, run)) {
        await enqueue(deps, run)
        queued++
        continue
      }
      await takenAway(deps, run)
    }
    // The event came before convert had told the ledger of its objects, and found nothing to take out here.
    await ledger.table.write([{ delete: { pk, sk } }])
  }
  return queued
}

/** The first stage publishes before it tells the ledger. */
export const isHandedOver = ({ accepted }: Run): boolean => accepted !== undefined

/** A part of it may be over the version before: no other run puts that right, if what lands next is refused. */
export const isHalfPublished = async ({ ledger }: PartitionDeps, run: Run): Promise<boolean> =>
  (await publishedKeys(ledger, run, 'delivery')).length > 0

const isReplaced = async ({ ledger }: PartitionDeps, run: Run): Promise<boolean> =>
  ((await ledger.head(run))?.deliverySeq ?? 0) > (run.typedBy?.seq ?? run.seq)

/** Its source was replaced or withdrawn before this stage heard of it. */
const takenAway = (deps: PartitionDeps, run: Run): Promise<void> =>
  supersede(deps, run, { code: 'superseded', message: taken(run) })

const taken = ({ key }: Run) =>
  `The typed rows of this version of ${key} were replaced or withdrawn before they were partitioned.`

/** Another run has taken its typed rows away since the job read them: if it broke off half-way, it could not be finished. */
async function isTaken({ ledger }: PartitionDeps, run: Run): Promise<boolean> {
  const typed = { ...run, runId: run.typedBy?.runId ?? run.runId }
  return (await publishedKeys(ledger, typed, 'processing')).length === 0
}

/** Ends a run that is not queued here. If it was queued, dispatch says so. */
async function supersede({ ledger }: PartitionDeps, run: Run, problem: Problem): Promise<void> {
  await ledger.update(
    run,
    { state: 'superseded', problem, endedAt: ledger.instant() },
    [],
    [],
    [
      { attribute: 'state', is: 'equal', to: 'converted' },
      { attribute: 'spanPartition', is: 'absent' },
    ],
  )
}

export async function partitionInputs(deps: PartitionDeps, run: Run) {
  const why = typedOtherwise(deps, run)
  if (why !== undefined) return why
  // What it was tried again for is done: a later run's rows are in its place.
  if (staysQueued(run, 'partition') && (await isReplaced(deps, run))) return undefined
  const parts = await partsOf(deps, run)
  return parts?.map(({ key, etag, bytes }) => ({ uri: `s3://${deps.processingBucket}/${key}`, etag, bytes }))
}

/** Delivery keys of what the job wrote: each partition's objects numbered from 1. */
export function deliveryObjects(run: Run, { version, partitionBy }: ExecutedPlan, parts: StagedPart[]) {
  const numbers = new Map<string, number>()
  return parts.map((staged) => {
    const folder = partitionFolder(partitionBy, staged.partition ?? null)
    const number = (numbers.get(folder) ?? 0) + 1
    numbers.set(folder, number)
    return { staged, folder, key: deliveryKey({ dataset: run.dataset, version }, folder, run.sourceId, number) }
  })
}

/** Accepted = rows in the processing zone = rows in the delivery zone. */
export function partitionBalance(run: Run, { rowsIn, parts }: SourceReport): void {
  const written = parts.reduce((rows, part) => rows + part.rows, 0)
  if (rowsIn === run.accepted && written === run.accepted) return
  throw new Failed(
    'imbalance',
    `The books of ${run.key} do not balance: ${run.accepted} rows accepted, ${rowsIn} in the processing zone, ${written} partitioned. Nothing of it was published.`,
  )
}

/** The job started before the ledger knew under which version the rows were typed, and it was another. */
function partitionedOtherwise({ key, contractVersion = 1 }: Run, { version }: ExecutedPlan): Problem | undefined {
  if (contractVersion === version) return undefined
  const message = `${key} was typed under version ${contractVersion} of its contract and partitioned under version ${version}.`
  return { code: 'other_version', message }
}

export const aroundPublishing =
  ({ ledger }: PartitionDeps) =>
  (dataset: string, batch: string, work: () => Promise<void>) =>
    whilePublishing(ledger, dataset, batch, LOCK_MS, work)

/** Publishes one partitioned source; from then on it waits for the catalog. */
export async function settlePartitioned(
  deps: PartitionDeps,
  run: Run,
  report: SourceReport,
  times: JobTimes,
  leave: Write,
  batch: string,
  plan: ExecutedPlan,
): Promise<void> {
  const { ledger, deliveryBucket, contracts } = deps
  const span = { ...times, queuedAt: run.spanPartition?.queuedAt ?? times.startedAt }
  const superseded = (problem: Problem) => {
    const spanPartition = { ...span, endedAt: ledger.instant() }
    return endRun(ledger, run, 'superseded', problem, [leave], { spanPartition, partitionBatch: batch })
  }
  if (report.refusal) {
    // Taken out by another run of this version, it may have been published again since, or will be: it stays in the queue.
    if (report.refusal.code === 'gone' && (!isHandedOver(run) || (await partsOf(deps, run)))) return
    return await superseded({ code: 'superseded', message: report.refusal.message })
  }
  if (!isHandedOver(run)) throw new TryAgain('not_yet_converted', `${run.key} has no count of accepted rows yet.`)
  partitionBalance(run, report)

  if (!contracts.has(run.dataset))
    throw new Failed('unknown_dataset', `No contract names the dataset "${run.dataset}" of ${run.key} any more.`)
  const objects = deliveryObjects(run, plan, report.parts)
  const folders = [...new Set(objects.map(({ folder }) => folder))]
  const other = typedOtherwise(deps, run) ?? partitionedOtherwise(run, plan)
  const published = await publish(deps, run, {
    zone: 'delivery',
    bucket: deliveryBucket,
    version: plan.version,
    stale: async () => other?.message ?? ((await isTaken(deps, run)) ? taken(run) : undefined),
    objects,
    effects: (changed) => {
      const at = ledger.instant()
      const spanPartition = { ...span, endedAt: at }
      const counts = {
        spanPartition,
        partitionBatch: batch,
        deliveredObjects: objects.length,
        partitions: folders.length,
        deliveredRows: objects.reduce((rows, { staged }) => rows + staged.rows, 0),
      }
      // Nothing written and nothing taken out: no event will come, and the catalog has nothing to learn.
      if (changed === 0) return { run: { ...counts, state: 'delivered', endedAt: at }, more: [leave] }
      return {
        run: { ...counts, state: 'published', spanCatalog: { queuedAt: at } },
        more: [leave, { put: queueItem('catalog', run, { folders, version: plan.version }) }],
      }
    },
  })
  if (published.outcome !== 'superseded') return
  const replaced = { code: 'superseded', message: published.why }
  await superseded(published.why === other?.message ? other : replaced)
}
