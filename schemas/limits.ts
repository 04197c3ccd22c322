import { decimalFits } from './compiler/grammar.ts'
import type { Type } from './types.ts'

const RANGES = { int: 31n, bigint: 63n } as const
const DAY = /^(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}$/
const TIME = /^(?:[01][0-9]|2[0-3])(?::[0-5][0-9]){2}(?:\.[0-9]{1,6})?$/

/**
 * A value that a contract names, as the one text that every engine casts to it.
 * @throws Error saying what it should have been for a column of this type
 */
export function limitText(limit: string | number, type: Type): string {
  switch (type.kind) {
    case 'int':
    case 'bigint': {
      const expected = `a whole number that ${type.kind === 'int' ? 'an int' : 'a bigint'} can hold`
      if (typeof limit === 'number' ? !Number.isInteger(limit) : !/^-?[0-9]+$/.test(limit)) throw new Error(expected)
      if (typeof limit === 'number' && !Number.isSafeInteger(limit)) throw new Error(DIGITS_AS_TEXT)
      const value = BigInt(limit)
      const end = 1n << RANGES[type.kind]
      if (value < -end || value >= end) throw new Error(expected)
      return String(value)
    }
    case 'decimal': {
      const text = String(limit)
      if (typeof limit === 'number' && (/e/.test(text) || text.replace(/[-.]|^-?0\.0*/g, '').length > 15))
        throw new Error(DIGITS_AS_TEXT)
      const isDecimal = /^-?[0-9]+(?:\.[0-9]+)?$/.test(text)
      if (!isDecimal || !new RegExp(`^(?:${decimalFits(type.precision, type.scale)})$`).test(text))
        throw new Error(`a number that decimal(${type.precision},${type.scale}) holds without losing a digit`)
      return text
    }
    case 'double':
      if (typeof limit !== 'number') throw new Error('a number')
      return String(limit)
    case 'date':
      if (typeof limit !== 'string' || !isDay(limit)) throw new Error('a day as yyyy-MM-dd')
      return limit
    case 'timestamp': {
      const [, day = '', time = ''] = /^(.{10})[ T](.*)$/.exec(String(limit)) ?? []
      if (!isDay(day) || !TIME.test(time)) throw new Error('a moment as yyyy-MM-dd HH:mm:ss')
      const [seconds = '', fraction = ''] = time.split('.')
      return `${day} ${seconds}.${fraction.padEnd(6, '0')}`
    }
    default:
      throw new Error(`no limit: ${type.kind} has no order that all readers share`)
  }
}

// JSON.parse makes a double of it.
const DIGITS_AS_TEXT = 'its digits as text, in quotes: JSON keeps 15 digits of a number'

function isDay(text: string): boolean {
  if (!DAY.test(text)) return false
  const day = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text)
}

/** Whether one limit is above another, both as `limitText` has them. */
export function isAbove(limit: string, other: string, { kind }: Pick<Type, 'kind'>): boolean {
  if (kind === 'date' || kind === 'timestamp') return limit > other
  if (kind === 'double') return Number(limit) > Number(other)
  return scaled(limit) > scaled(other)
}

const SCALE = 38
/** A number of any type that is exact, as so many units of 10^-38. */
export function scaled(text: string): bigint {
  const [whole = '', decimals = ''] = text.split('.')
  return BigInt(`${whole}${decimals.padEnd(SCALE, '0')}`)
}
