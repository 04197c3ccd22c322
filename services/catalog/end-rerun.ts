import { contractOf } from '../jobs/dispatch.ts'
import type { RerunState } from '../ledger/reruns.ts'
import { closeRerun } from '../rerun/close.ts'
import type { CatalogDeps } from './catalog.ts'
import { serve } from './serve.ts'

/**
 * Ends the dataset's rerun when all of it has settled. A later version of a contract is shown to people by that, unless
 * the rerun was a dry one.
 */
export async function endRerun(deps: CatalogDeps, dataset: string): Promise<RerunState | undefined> {
  const { version } = contractOf(deps.contracts, dataset)
  return await closeRerun(deps.ledger, dataset, version === 1 ? undefined : (name) => serve(deps, name))
}
