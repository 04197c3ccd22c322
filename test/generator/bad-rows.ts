/** Where a kind of bad row is spoilt, in the real file's order of columns. */
const COUNTRY = 1
const ORDER_DATE = 5
const UNITS_SOLD = 8
const UNIT_PRICE = 9
const TOTAL_REVENUE = 11

const replaced = (fields: string[], column: number, spoil: (value: string) => string) =>
  fields.map((value, index) => (index === column ? spoil(value) : value))

/** How each kind spoils the fields of a good row: one fault a row, so that a test can name the reason and the column. */
const SPOIL = {
  bad_date: (fields: string[]) => replaced(fields, ORDER_DATE, () => '13/20/2015'),
  too_few_fields: (fields: string[]) => fields.slice(0, -1),
  too_many_fields: (fields: string[]) => [...fields, 'surplus'],
  over_precise_decimal: (fields: string[]) => replaced(fields, UNIT_PRICE, (value) => `${value}5`),
  overflow_decimal: (fields: string[]) => replaced(fields, TOTAL_REVENUE, () => '123456789012.34'),
  overflow_int: (fields: string[]) => replaced(fields, UNITS_SOLD, () => '3000000000'),
  not_an_integer: (fields: string[]) => replaced(fields, UNITS_SOLD, (value) => `${value}.5`),
  unclosed_quote: (fields: string[]) => replaced(fields, COUNTRY, (value) => `"${value}`),
} as const satisfies Record<string, (fields: string[]) => string[]>

export type BadKind = keyof typeof SPOIL

export const BAD_KINDS = Object.keys(SPOIL) as BadKind[]

export const isBadKind = (text: string): text is BadKind => Object.hasOwn(SPOIL, text)

/** The line of a bad row, without its end. */
export const spoilt = (kind: BadKind, fields: string[]): string => SPOIL[kind](fields).join(',')
