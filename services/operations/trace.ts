import pMap from 'p-map'
import type { Run } from '../ledger/run.ts'
import { traceIdOf } from '../trace/ids.ts'
import { type Segment, traceOf } from '../trace/segments.ts'
import { type Books, findRun } from './find-run.ts'
import { type MemberRun, membersOf, nowOf, zipOf } from './show.ts'
import type { Traces } from './traces.ts'
import type { Document } from './waterfall.ts'

export type Traced = {
  run: Run
  /** As they are sent to X-Ray when the run ends. */
  documents: Segment[]
  /** A zip's own, with the documents of each that is known. */
  members?: (MemberRun & { documents?: Segment[] })[]
}

/** Where the time of a run went, from the ledger. @throws NoSuchRun */
export async function trace(books: Books, text: string): Promise<Traced> {
  const run = await findRun(books, text)
  const [zip, members] = await Promise.all([zipOf(books, run), run.members && membersOf(books, run)])
  const documents = traceOf(await upToNow(books, run), zip)
  if (!members) return { run, documents }
  const traced = async ({ run: of, ...member }: MemberRun) =>
    of ? { ...member, run: of, documents: traceOf(await upToNow(books, of), run) } : member
  return { run, documents, members: await pMap(members, traced, { concurrency: 16 }) }
}

/** A stage writes its span when it settles: until then, only its slot knows that a job has taken the run up. */
async function upToNow(books: Books, run: Run): Promise<Run> {
  const now = await nowOf(books, run)
  if (now?.doing !== 'works' || now.since === undefined) return run
  const { stage, since: startedAt, jobRunId } = now
  // Whether the job's own code has begun is in its report, later: so it is in the job, without saying more.
  const times = { startedAt, jobStartedAt: startedAt, ...(jobRunId && { jobRunId }) }
  if (stage === 'convert') return { ...run, spanConvert: { queuedAt: run.registeredAt, ...run.spanConvert, ...times } }
  if (stage === 'partition') return { ...run, spanPartition: { queuedAt: startedAt, ...run.spanPartition, ...times } }
  return run
}

/** X-Ray has no trace of a run. */
export class NoTrace extends Error {}

/** X-Ray keeps traces for 30 days. */
const KEPT_MS = 30 * 24 * 3600 * 1000

/** The trace of a run as X-Ray has it. @throws NoSuchRun; NoTrace saying why it may not be there */
export async function readTrace(
  books: Books & { traces: Traces },
  text: string,
): Promise<{ run: Run; traceId: string; documents: Document[] }> {
  const run = await findRun(books, text)
  const traceId = traceIdOf(run)
  const documents = await books.traces.documents(traceId)
  if (documents) return { run, traceId, documents }
  throw new NoTrace(`X-Ray has no trace ${traceId} of run ${run.runId}: ${whyNot(run, books.ledger.now())}`)
}

function whyNot(run: Run, now: Date): string {
  const instead = 'Without --xray it is drawn from the ledger.'
  if (run.endedAt === undefined) return `it is sent when the run ends, and this one is ${run.state} still. ${instead}`
  if (now.getTime() - Date.parse(run.endedAt) > KEPT_MS) return `X-Ray keeps traces for 30 days. ${instead}`
  return `the run was not sampled, or its trace could not be sent (the log of the function in which it ended says so), or X-Ray has not indexed it yet, which takes it some seconds. ${instead}`
}
