import { writeFileSync } from 'node:fs'
import { z } from 'zod'
import { Contract } from './contract.ts'
import { contractReference } from './reference.ts'

/** The JSON Schema that editors complete contracts from. Rules across fields are not in it; `loadContract` checks those. */
export function contractSchema(): string {
  const schema = z.toJSONSchema(Contract, { io: 'input', target: 'draft-7' })
  return `${JSON.stringify({ ...schema, title: 'Landfall contract of a dataset' }, null, 2)}\n`
}

// `npm run schema`
if (import.meta.main) {
  writeFileSync(new URL('./contract.schema.json', import.meta.url), contractSchema())
  writeFileSync(new URL('./CONTRACT.md', import.meta.url), contractReference())
}
