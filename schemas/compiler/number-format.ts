import type { PlanColumn } from '../plan.ts'

const NUMBERS = ['int', 'bigint', 'decimal', 'double']

/** The texts that a column's own separators make: those of INTEGER, DECIMAL or DOUBLE, with groups of three digits where it has them. */
function grammar({ kind, decimal = '.', thousands }: PlanColumn): string {
  const literal = (char: string) => char.replace('.', '\\.')
  const whole = thousands ? `(?:[0-9]+|[0-9]{1,3}(?:${literal(thousands)}[0-9]{3})+)` : '[0-9]+'
  if (kind === 'int' || kind === 'bigint') return `[+-]?${whole}`
  const point = literal(decimal)
  return `[+-]?(?:${whole}(?:${point}[0-9]*)?|${point}[0-9]+)${kind === 'double' ? '(?:[eE][+-]?[0-9]+)?' : ''}`
}

interface Sql {
  text: (value: string) => string
  matches: (sql: string, pattern: string) => string
}

/** A text as the plain grammars have it, '' if it is none of the column's own separators. Text of other types stays. */
export function plainNumber(column: PlanColumn, sql: string, { text, matches }: Sql): string {
  const { kind, decimal, thousands } = column
  if (!NUMBERS.includes(kind) || (decimal === undefined && thousands === undefined)) return sql
  const whole = thousands === undefined ? sql : `replace(${sql}, ${text(thousands)}, '')`
  const plain = decimal === undefined ? whole : `replace(${whole}, ${text(decimal)}, '.')`
  return `CASE WHEN ${matches(sql, grammar(column))} THEN ${plain} ELSE '' END`
}
