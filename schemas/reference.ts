import { z } from 'zod'
import { Contract } from './contract.ts'
import { REJECT_REASONS, type RejectReason } from './report.ts'

type Schema = z.core.JSONSchema.BaseSchema
interface Field {
  path: string
  schema: Schema
  required: boolean
}

const REASONS: Record<RejectReason, string> = {
  too_few_fields: 'The row has fewer fields than the header.',
  too_many_fields: 'The row has more fields than the header.',
  unclosed_quote:
    'A quote is open at the end of the line, and no later line closes it where the contract says `multiline`.',
  malformed_row: 'Text follows a closing quote, a quote follows blanks, or the line has more than 1,000,000 bytes.',
  invalid_encoding: 'Some bytes of the row are no character of `source.encoding`.',
  required_missing: 'A `required` column is blank.',
  not_an_integer: 'Not digits, perhaps with a sign (and with `thousands` between groups of three).',
  out_of_range: 'A number that the type cannot hold.',
  not_a_decimal: 'Not digits with at most one `decimal` separator, perhaps with a sign; no exponent.',
  too_precise: 'More decimals than the type has. Nothing is rounded.',
  not_a_date: 'In none of the `formats`, or a day that is in no calendar.',
  not_a_timestamp: 'In none of the `formats`, or a moment that is in no calendar.',
  not_a_boolean: 'Neither `true` nor `false`, in whatever case.',
  not_a_number: 'Not digits, perhaps with a sign, one `decimal` separator and an exponent.',
  below_min: 'Below `min`.',
  above_max: 'Above `max`.',
  not_one_of: 'Not in the list `oneOf`.',
  not_unique: 'An earlier row of the file has the same value in a `unique` column.',
}

/** What a contract can say, for people: a row for each field of its schema. */
export function contractReference(): string {
  const fields = fieldsOf(z.toJSONSchema(Contract, { io: 'input', target: 'draft-7' }))
  const rows = fields.map(({ path, schema, required }) => [
    `\`${path}\``,
    typeText(schema),
    schema.default === undefined ? (required ? '*required*' : '') : defaultText(schema.default),
    schema.description ?? '',
  ])
  return `# Contract

The fields of \`schemas/datasets/<dataset>.json\`. \`npm run schema\` writes this file, and [the JSON Schema](contract.schema.json) that editors complete contracts from.

${table(['field', 'type', 'default', 'what it says'], rows)}

## Why a row is a reject

A row has one reason: that of the row as a whole, else that of the first column, in the contract's order, whose value is wrong by itself, else \`not_unique\`.

${table(
  ['reason', 'when'],
  REJECT_REASONS.map((reason) => [`\`${reason}\``, REASONS[reason]]),
)}

## Changing a contract

\`schemas/published/<dataset>.json\` holds what readers of a dataset's files rely on, and \`npm run synth\` compares. Files that are published go on serving new rules, limits, formats and
descriptions, and new columns that may be null: in older files these are null. \`npm run contract:accept\` takes new columns down; commit what it writes.
A column less or of another name or type, a new column that is \`required\`, another \`partitionBy\` or \`table\` are refused under the same \`version\`: raise it and \`npm run contract:accept\`.

A new version is published apart from the one before, and people are switched from one to the other in one step:

${table(
  ['', 'version 1', 'version *n* from 2 on'],
  [
    ['rows in the delivery zone', '`data/<dataset>/`', '`data/<dataset>.v<n>/`'],
    ['their table in Glue', '`<table.name>`', '`<table.name>_v<n>`'],
    ['`<table.name>`, the name that people query', 'that table', 'a view of that table'],
  ],
)}

1. Deploy. From then on files are typed under the new version, and people go on reading the version before, as it was at this moment: what lands now is seen after the switch.
   A file that was typed but not yet partitioned ends as superseded, and the rerun takes it up.
2. \`landfall rerun <dataset> --dry-run\`, if you want to see first: it types all files under the new version and says per file how many rows are accepted and rejected, before and after. Nothing is switched.
   \`landfall rerun <dataset>\` types all files again, and its end is where the next happens; so does any other rerun's that is no dry one.
3. When each source that people see rows of is published under the new version, the name is switched to it. While one is not, because its file is refused for instance, nothing is switched and the
   source is named with the reason: mend its file, or the contract, or withdraw it.
4. An hour after the switch the rows of the version before leave the delivery zone. The bucket keeps its old versions of these objects as long as of any other.

With another \`table\`, the old name goes on showing the version before, and nothing of that is taken out.
A new column that may be null needs none of this: tables and views have it from the next change of the dataset's rows on.
`
}

function fieldsOf(schema: Schema, parent = ''): Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    if (typeof field === 'boolean') return []
    const path = `${parent}${name}`
    const items = typeof field.items === 'object' && !Array.isArray(field.items) ? field.items : {}
    // One object or a list of such: the fields are the same.
    const [either] = field.anyOf?.filter((each) => typeof each === 'object' && each.properties) ?? []
    return [
      { path, schema: field, required: schema.required?.includes(name) ?? false },
      ...fieldsOf(field, `${path}.`),
      ...fieldsOf(items, `${path}[].`),
      ...(typeof either === 'object' ? fieldsOf(either, `${path}.`) : []),
    ]
  })
}

function typeText(schema: Schema): string {
  if (schema.const !== undefined) return code(schema.const)
  if (schema.enum) return schema.enum.map(code).join(', ')
  if (schema.anyOf) return schema.anyOf.map((one) => (typeof one === 'boolean' ? '' : typeText(one))).join(' or ')
  if (schema.type === 'array')
    return typeof schema.items === 'object' && !Array.isArray(schema.items)
      ? `list of ${typeText(schema.items)}`
      : 'list'
  // Types that one list names, as JSON Schema writes a number or a text.
  if (Array.isArray(schema.type)) return schema.type.map((type) => typeText({ type })).join(' or ')
  if (schema.type === 'integer' || schema.type === 'number') return `${schema.type}${range(schema)}`
  return schema.type === 'string' ? 'text' : String(schema.type)
}

function range({ minimum, maximum }: Schema): string {
  const most = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum
  if (minimum === undefined || minimum === Number.MIN_SAFE_INTEGER) return ''
  return most === undefined ? ` from ${minimum}` : ` from ${minimum} to ${most}`
}

const code = (value: unknown) => `\`${JSON.stringify(value)}\``
/** Of an object, its fields have their own. */
const defaultText = (value: unknown) => (JSON.stringify(value) === '{}' ? '' : code(value))

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
