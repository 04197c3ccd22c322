import { glueView, VERSION_PARAMETER } from '../../schemas/compiler/glue-view.ts'
import type { Contract } from '../../schemas/contract.ts'
import { partitionOfFolder } from '../../schemas/hive.ts'
import { deliveryPrefix } from '../../schemas/locations.ts'
import { contractOf } from '../jobs/dispatch.ts'
import type { CatalogTable, Glue } from '../jobs/glue.ts'
import type { Objects } from '../jobs/objects.ts'
import { Failed } from '../lambda/errors.ts'

type ViewDeps = { glue: Glue; objects: Objects; contracts: Map<string, Contract>; deliveryBucket: string }

/** The version of the contract whose rows people see under the table's name; undefined where there is no such name. */
export async function servedVersion(
  { glue, contracts }: Pick<ViewDeps, 'glue' | 'contracts'>,
  dataset: string,
): Promise<number | undefined> {
  const contract = contractOf(contracts, dataset)
  return shownBy(contract, await glue.table(contract.table))
}

/** @throws Failed for a view that is none of ours */
export function shownBy({ table }: Pick<Contract, 'table'>, found: CatalogTable | undefined): number | undefined {
  if (!found?.isView) return found && 1
  const version = Number(found.parameters[VERSION_PARAMETER])
  if (Number.isInteger(version)) return version
  const name = `${table.database}.${table.name}`
  throw new Failed(
    'foreign_view',
    `${name} is a view without the parameter "${VERSION_PARAMETER}", so it is none of Landfall's. Expected the table of version 1 or a view that Landfall made: give the view another name.`,
  )
}

/** The newest version before the contract's of which rows are in the zone. */
export async function versionBefore(
  { objects, deliveryBucket }: Pick<ViewDeps, 'objects' | 'deliveryBucket'>,
  { dataset, version }: Contract,
): Promise<number | undefined> {
  for (let before = version - 1; before >= 1; before--) {
    const folders = await objects.folders(deliveryBucket, deliveryPrefix({ dataset, version: before }))
    if (folders.some((folder) => partitionOfFolder(folder) !== null)) return before
  }
  return undefined
}

/**
 * Makes the name that people query show the contract's version: one entry of the catalog, changed in one call.
 *
 * Whether Glue takes a view in the place of a table was never tried on AWS. Where it does not, the table is dropped and the
 * view made: between the two a query fails, for the name means nothing. None is answered wrongly.
 *
 * @param found what has the name now
 */
export async function show({ glue }: Pick<ViewDeps, 'glue'>, contract: Contract, found: CatalogTable | undefined) {
  const view = glueView(contract)
  const { database, name } = contract.table
  if (found && (await glue.putView(database, view))) return
  if (found?.isView)
    throw new Failed('view_refused', `Glue does not take the view ${database}.${name} of version ${contract.version}.`)
  if (found) await glue.dropTable(contract.table)
  await glue.createView(database, view)
}

/**
 * Keeps the view of a version that people see already as the contract says, and makes it where nobody can have seen an
 * earlier version. Any other step from one version to the next is `serve`'s.
 */
export async function keepView(deps: ViewDeps, contract: Contract): Promise<void> {
  if (contract.version === 1) return
  const found = await deps.glue.table(contract.table)
  const due = found
    ? shownBy(contract, found) === contract.version && found.viewText !== glueView(contract).ViewOriginalText
    : (await versionBefore(deps, contract)) === undefined
  if (due) await show(deps, contract, found)
}
