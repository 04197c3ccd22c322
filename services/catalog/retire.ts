import pMap from 'p-map'
import type { Contract } from '../../schemas/contract.ts'
import { deliveryPrefix, physicalTable } from '../../schemas/locations.ts'
import { contractOf } from '../jobs/dispatch.ts'
import { LOCK_MS, retireSource } from '../jobs/publish.ts'
import { forgetSwitch, switchOf } from '../ledger/catalog-state.ts'
import { parseDeliveryKey } from '../ledger/ids.ts'
import type { CatalogDeps } from './catalog.ts'
import { serve } from './serve.ts'
import { servedVersion } from './view.ts'

export type RetireDeps = CatalogDeps & { unique: () => string }

/** Queries that began before a switch read the version before; Athena ends one after 30 minutes. */
export const RETIRE_AFTER_MS = 60 * 60_000
/** Sources at one call; the next minute's goes on. */
const SOURCES = 200

/**
 * What remains of a switch: finishes one that a crash cut, and, when no query can be reading them any more, takes the
 * versions before out of the delivery zone and the catalog. Old versions of the objects stay as long as the bucket keeps them.
 * @returns what it did, in words
 */
export async function retire(deps: RetireDeps, dataset: string): Promise<string | undefined> {
  const { ledger } = deps
  const noted = await switchOf(ledger, dataset)
  if (!noted) return undefined
  const age = ledger.now().getTime() - noted.since
  // Until then whoever noted it may be at work.
  if (age < LOCK_MS) return undefined
  const contract = contractOf(deps.contracts, dataset)
  const served = await servedVersion(deps, dataset)
  if (served === undefined || served < noted.version) {
    if (contract.version !== noted.version) return undefined
    const { outcome, version } = await serve(deps, dataset)
    return outcome === 'served' ? `finished a switch to version ${version} that a crash had cut` : undefined
  }
  if (age < RETIRE_AFTER_MS) return undefined
  for (let version = 1; version < noted.version; version++) {
    const left = await takeOut(deps, { ...contract, version })
    if (left > 0) return `took a part of version ${version} out, ${left} sources are left`
  }
  await forgetSwitch(ledger, dataset, noted)
  return `took out what was before version ${noted.version}`
}

async function takeOut(deps: RetireDeps, contract: Contract): Promise<number> {
  const { objects, glue, deliveryBucket: bucket } = deps
  const sources = new Map<string, string[]>()
  for (const { key } of await objects.list(bucket, deliveryPrefix(contract))) {
    const sourceId = parseDeliveryKey(key)?.sourceId
    if (sourceId !== undefined) sources.set(sourceId, [...(sources.get(sourceId) ?? []), key])
  }
  await pMap(
    [...sources].slice(0, SOURCES),
    async ([sourceId, keys]) => {
      const source = { dataset: contract.dataset, sourceId }
      if (await deps.ledger.head(source)) await retireSource(deps, source, contract.version, { bucket, keys })
    },
    { concurrency: 8 },
  )
  const left = Math.max(0, sources.size - SOURCES)
  if (left > 0) return left
  const table = physicalTable(contract)
  // The first version's table had the name that the view has now: its partitions are all that is left of it.
  if (contract.version > 1) await glue.dropTable(table)
  else
    await glue.dropPartitions(
      table,
      (await glue.partitions(table)).map(({ value }) => value),
    )
  return 0
}
