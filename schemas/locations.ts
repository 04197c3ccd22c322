import type { Contract } from './contract.ts'

/** One version of a dataset: what is published under it lies apart from what is published under any other. */
export type DatasetVersion = Pick<Contract, 'dataset' | 'version'>
export type TableVersion = Pick<Contract, 'table' | 'version'>

/** Folder of a version's rows in the delivery zone. The name of a dataset has no dot, so no two can meet. */
export const deliveryPrefix = ({ dataset, version }: DatasetVersion): `data/${string}/` =>
  version === 1 ? `data/${dataset}/` : `data/${dataset}.v${version}/`

/** The version whose rows lie in a folder of the delivery zone: `sales` and `sales.v2` are of one dataset. */
export function versionOfFolder(folder: string): DatasetVersion | undefined {
  const [, dataset, version] = /^([^.]+)(?:\.v([2-9]|[1-9]\d+))?$/.exec(folder) ?? []
  return dataset === undefined ? undefined : { dataset, version: Number(version ?? 1) }
}

/** The Glue table over a version's rows. Of version 1 it is what people query; later ones are shown to them by a view. */
export const physicalTable = ({ table, version }: TableVersion): Contract['table'] =>
  version === 1 ? table : { ...table, name: `${table.name}_v${version}` }

/** All tables that a contract's rows may be in: those of earlier versions are read until people are switched. */
export const physicalTables = ({ table, version }: TableVersion): Contract['table'][] =>
  Array.from({ length: version }, (_, before) => physicalTable({ table, version: before + 1 }))
