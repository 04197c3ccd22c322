export type SimpleKind = 'string' | 'int' | 'bigint' | 'date' | 'timestamp' | 'boolean' | 'double'
export type Type = { kind: SimpleKind } | { kind: 'decimal'; precision: number; scale: number }

/** `decimal(10,2)` and the like, taken apart. Takes only text that the contract's schema has passed. */
export function parseType(text: string): Type {
  const decimal = /^decimal\((\d+),(\d+)\)$/.exec(text)
  if (decimal) return { kind: 'decimal', precision: Number(decimal[1]), scale: Number(decimal[2]) }
  return { kind: text as SimpleKind }
}

export const typeText = (type: Type): string =>
  type.kind === 'decimal' ? `decimal(${type.precision},${type.scale})` : type.kind
