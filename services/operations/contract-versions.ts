import { z } from 'zod'
import { shownBy } from '../catalog/view.ts'
import type { Glue } from '../jobs/glue.ts'

const Tables = z.record(z.string(), z.object({ database: z.string(), name: z.string() }))
const Versions = z.record(z.string(), z.number())

/** Which version people see of a dataset, by the catalog, and which is deployed, by the stack's outputs. */
export function versionsOf(glue: Pick<Glue, 'table'>, tables: string, versions: string) {
  const tableOf = Tables.parse(JSON.parse(tables))
  const deployed = Versions.parse(JSON.parse(versions))
  return async (dataset: string): Promise<{ served: number | undefined; deployed: number | undefined }> => {
    const table = tableOf[dataset]
    const served = table && shownBy({ table }, await glue.table(table))
    return { served, deployed: deployed[dataset] }
  }
}
