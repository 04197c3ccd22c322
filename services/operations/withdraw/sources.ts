import pMap from 'p-map'
import { knownKeys } from '../../jobs/publish.ts'
import { memberFolderOf, sourceIdOf } from '../../ledger/ids.ts'
import { hasEnded, type Run, type SourceRef } from '../../ledger/run.ts'
import type { Landfall } from '../connect.ts'
import { type Books, findRun } from '../find-run.ts'

/** A source that is to be withdrawn, as the ledger has it now. */
export type Source = SourceRef & {
  kind: Run['kind']
  key: string
  /** That the table has of it. */
  rows: number
  /** That the ledger lists of it in each zone. */
  objects: { processing: number; delivery: number }
  /** Runs of it that have not ended. */
  open: number
  zipKey?: string
  /** Since when it is out already. */
  withdrawnAt?: string
}

export type Asked = {
  dataset: string
  /** One CSV; or a zip, and after it all that ever came out of it. */
  sources: Source[]
}

type Deps = Books & Pick<Landfall, 'versions'>

/** What a person means to withdraw, named as a run is. @throws NoSuchRun */
export async function findSources(deps: Deps, text: string): Promise<Asked> {
  const { kind, key, dataset, sourceId } = await findRun(deps, text)
  const one = { kind, key, dataset, sourceId }
  const all = kind === 'zip' ? [one, ...(await membersOf(deps, one))] : [one]
  const sources = await pMap(all, (source) => asItIs(deps, source), { concurrency: 16 })
  return { dataset, sources: sources.flatMap((source) => source ?? []) }
}

type Named = SourceRef & Pick<Run, 'kind' | 'key'>

/**
 * Of every version of a zip, for their rows are still in old versions. The ledger forgets the members of an extraction that
 * died before a newer version of the zip came; their folder does not.
 */
async function membersOf({ ledger, versions, rawBucket }: Deps, { dataset, sourceId, key }: Named): Promise<Named[]> {
  const zip = { dataset, sourceId }
  const [head, runs, kept] = await Promise.all([
    ledger.head(zip),
    ledger.runs(zip),
    /\.zip$/i.test(key) ? versions.list(rawBucket, memberFolderOf(dataset, key)) : [],
  ])
  const lines = [...(head?.members ?? []), ...runs.flatMap(({ members }) => members ?? []), ...kept]
  const keys = [...new Set(lines.map((line) => line.key))].sort()
  return keys.map((key) => ({ kind: 'csv', key, dataset, sourceId: sourceIdOf(key) }))
}

/** Undefined for what the ledger has never heard of: someone else's object in the folder of a zip. */
export async function asItIs({ ledger }: Pick<Deps, 'ledger'>, named: Named): Promise<Source | undefined> {
  const [head, runs] = await Promise.all([ledger.head(named), ledger.runs(named)])
  if (!head) return undefined
  const [processing, delivery] = await Promise.all(
    (['processing', 'delivery'] as const).map(async (zone) => (await knownKeys(ledger, named, zone)).length),
  )
  const { zipKey, withdrawnAt, deliveryRun } = head
  return {
    ...named,
    rows: runs.find(({ runId }) => runId === deliveryRun)?.accepted ?? 0,
    objects: { processing: processing ?? 0, delivery: delivery ?? 0 },
    open: runs.filter(({ state }) => !hasEnded(state)).length,
    ...(zipKey && { zipKey }),
    ...(withdrawnAt && { withdrawnAt }),
  }
}
