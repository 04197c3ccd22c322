/** A string literal. */
export const text = (value: string): string => `'${value.replaceAll("'", "''")}'`

/** A column or table name, whatever is in it. */
export const name = (value: string): string => `"${value.replaceAll('"', '""')}"`

// A text on its way between DuckDB and Node loses a byte order mark at its start, or what follows a NUL. Hex digits do not.

/** The text of an expression, for `fromHex`. */
export const hex = (sql: string): string => `hex(${sql})`

/** What an expression of `hex` gave. */
export const fromHex = (value: unknown): string | null =>
  typeof value === 'string' ? Buffer.from(value, 'hex').toString('utf8') : null

/** An expression for any text, or for null. */
export const anyText = (value: string | null): string =>
  value === null ? 'CAST(NULL AS VARCHAR)' : `decode(unhex('${Buffer.from(value).toString('hex')}'))`

/** DuckDB skips one at the start of a file: with this one there, text of the first row that looks like one is safe. */
export const BYTE_ORDER_MARK = Buffer.from('\ufeff')
