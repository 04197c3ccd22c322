import type { RunRow } from '../../schemas/runs.ts'
import { estimate } from '../cost/estimate.ts'
import { landedToQueryable } from '../ledger/lineage.ts'
import type { Run } from '../ledger/run.ts'

/** As Athena's JSON SerDe reads a timestamp. */
const timestamp = (iso: string | undefined) => iso?.replace('T', ' ').replace('Z', '') ?? null

/**
 * A run as the table of runs has it. The words of its problem stay in the ledger: they may quote the file, and what is
 * erased there must not be left here.
 * @param zip what it came in, for its time and not for its cost, which the zip has itself
 */
export const runRow = (run: Run, zip?: Run): RunRow => ({
  run_id: run.runId,
  dataset: run.dataset,
  source_id: run.sourceId,
  kind: run.kind,
  key: run.key,
  version_id: run.versionId,
  bytes: run.bytes,
  cause: run.cause,
  state: run.state,
  problem_code: run.problem?.code ?? null,
  rows_in: run.rowsIn ?? null,
  accepted: run.accepted ?? null,
  rejected: run.rejected ?? null,
  partitions: run.partitions ?? null,
  landed_at: timestamp(run.landedAt),
  registered_at: timestamp(run.registeredAt),
  ended_at: timestamp(run.endedAt),
  landed_to_queryable_ms: landedToQueryable(run, zip) ?? null,
  contract_version: run.contractVersion ?? null,
  code_version: run.endedCode ?? run.code ?? null,
  zip_run_id: run.zip?.runId ?? null,
  same_as_run_id: run.sameAs?.runId ?? null,
  cost_usd: estimate(run).usd,
})

/**
 * Made of what never changes about a run: when it ends once more, its object is replaced. Without the name of its source,
 * of which nothing but history is left when it is erased.
 */
export const runObjectKey = ({ dataset, registeredAt, runId }: Run): string =>
  `runs/${dataset}/${registeredAt.slice(0, 7)}/${runId}.json`
