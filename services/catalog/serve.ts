import { basename } from 'node:path/posix'
import pMap from 'p-map'
import type { Contract } from '../../schemas/contract.ts'
import { partitionOfFolder } from '../../schemas/hive.ts'
import { deliveryPrefix } from '../../schemas/locations.ts'
import { contractOf } from '../jobs/dispatch.ts'
import { Failed } from '../lambda/errors.ts'
import { noteSwitch, switchOf } from '../ledger/catalog-state.ts'
import { parseDeliveryKey } from '../ledger/ids.ts'
import { hasEnded, type SourceRef } from '../ledger/run.ts'
import { type CatalogDeps, compare } from './catalog.ts'
import { keepView, show, shownBy, versionBefore } from './view.ts'

/** A source whose rows would vanish by a switch. */
export type Unserved = {
  /** Of the raw object; of one in the delivery zone that no source of ours wrote, its own. */
  key: string
  sourceId?: string
  /** The source's newest run. */
  runId?: string
  reason: string
}

export type Served =
  /** People see the version that is deployed: since now, or since before. */
  | { outcome: 'served' | 'unchanged'; version: number }
  | { outcome: 'unserved'; version: number; deployed: number; sources: Unserved[] }

/**
 * Makes the name that people query show the version of the contract that is deployed, in one step, so that no reader sees
 * two versions or a part of one. Refuses while a source has rows in the version that people see and is not in the deployed
 * one. Safe to repeat: whatever a crash leaves is one version or the other, and the next call goes on.
 *
 * @throws TryAgain when someone else changes the catalog meanwhile; Failed for a name that is someone else's view
 */
export async function serve(deps: CatalogDeps, dataset: string): Promise<Served> {
  const { ledger, glue } = deps
  const contract = contractOf(deps.contracts, dataset)
  const { version } = contract
  const served = shownBy(contract, await glue.table(contract.table))
  if (served === version) {
    await keepView(deps, contract)
    return { outcome: 'unchanged', version }
  }
  if (served !== undefined && served > version)
    throw new Failed(
      'newer_version',
      `People see version ${served} of ${dataset}, and version ${version} is deployed: a version once served is not taken back. Deploy version ${served} or a later one.`,
    )
  const before = served ?? (await versionBefore(deps, contract))
  const sources = before === undefined ? [] : await unserved(deps, contract, before)
  if (before !== undefined && sources.length > 0)
    return { outcome: 'unserved', version: before, deployed: version, sources }

  // After the heads were read: of what they said is published, the listing shows all.
  await compare(deps, dataset)
  const found = await glue.table(contract.table)
  if (shownBy(contract, found) === version) return { outcome: 'served', version }
  // A name that is missing after a switch that was noted is what a crash left of that switch. Under a new name, the old one is still read.
  if (found || (await switchOf(ledger, dataset))) await noteSwitch(ledger, dataset, version)
  await show(deps, contract, found)
  return { outcome: 'served', version }
}

/** What has rows in version `before` and was not published under the contract's. */
async function unserved(deps: CatalogDeps, contract: Contract, before: number): Promise<Unserved[]> {
  const { dataset } = contract
  const listed = await deps.objects.list(deps.deliveryBucket, deliveryPrefix({ dataset, version: before }))
  /** By source: one of its objects. */
  const found = new Map<string, { key: string; sourceId?: string }>()
  for (const { key } of listed) {
    // Neither is a row of the table: what is in no partition, and what queries skip by its name.
    if (partitionOfFolder(key.split('/')[2] ?? '') === null || /^[._]/.test(basename(key))) continue
    const sourceId = parseDeliveryKey(key)?.sourceId
    found.set(sourceId ?? key, { key, sourceId })
  }
  const all = await pMap(
    found.values(),
    ({ key, sourceId }) => (sourceId === undefined ? notOurs(key) : judge(deps, contract, { dataset, sourceId }, key)),
    { concurrency: 16 },
  )
  return all.flatMap((one) => one ?? []).sort((a, b) => (a.key < b.key ? -1 : 1))
}

const notOurs = (key: string): Unserved => ({
  key,
  reason: 'no source of ours wrote this object into the delivery zone: land it as a CSV, or delete it',
})

async function judge({ ledger }: CatalogDeps, { version }: Contract, source: SourceRef, object: string) {
  const head = await ledger.head(source)
  if (!head) return notOurs(object)
  if (head.deliveryRun !== undefined && (head.deliveryVersion ?? 1) === version) return undefined
  const { key } = head
  const newest = (await ledger.runs(source)).reduce((a, b) => (a.seq > b.seq ? a : b))
  const { runId, state, problem } = newest
  const rerun = `nothing has typed it under version ${version} yet: run \`landfall rerun ${source.dataset}\``
  const reason = problem ? `${state}: ${problem.message}` : hasEnded(state) ? rerun : `its newest run is ${state}`
  return { key, sourceId: source.sourceId, runId, reason }
}
