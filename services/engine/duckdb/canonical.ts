import { plainNumbers } from '../../../schemas/compiler/plain-numbers.ts'
import { plainYears } from '../../../schemas/compiler/plain-years.ts'
import { parseFormat } from '../../../schemas/formats.ts'
import type { PlanColumn } from '../../../schemas/plan.ts'

/**
 * Texts of which it is plain that they are a value of their column's type and nothing else: what the engine's own reader makes of
 * such a text is the value. A text that is not canonical may still be right; the compiled expressions decide that.
 * A finite automaton over bytes: states are texts, and no state means that the text is not canonical.
 */
export interface Canonical {
  readonly start: string
  step(state: string, byte: number): string | undefined
  /** Whether a text that ends here is canonical. The empty text is seen to elsewhere. */
  final(state: string): boolean
}

const [SPACE, MINUS, ZERO, NINE, DEL, C2, NBSP] = [32, 45, 48, 57, 127, 0xc2, 0xa0]
const isDigit = (byte: number) => byte >= ZERO && byte <= NINE
const isControl = (byte: number) => byte < SPACE || byte === DEL

/** @returns null for a column of which no text is canonical */
export function canonical(column: PlanColumn): Canonical | null {
  const { kind, precision = 38, scale = 0 } = column
  // Of each such row the place must be known.
  if (column.unique) return null
  if (column.oneOf) return words(column.oneOf)
  switch (kind) {
    case 'string':
      return trimmedText
    case 'int':
      return number(column, { digits: 9, decimals: 0 })
    case 'bigint':
      return number(column, { digits: 18, decimals: 0 })
    case 'decimal':
      return number(column, { digits: precision - scale, decimals: scale })
    case 'double':
      // So few digits are one division of two exact numbers: no reader rounds them in its own way.
      return number(column, { digits: 9, decimals: 6 })
    case 'boolean':
      return words(['true', 'false'])
    case 'date':
    case 'timestamp':
      return moment(column.formats?.[0] ?? '', plainYears(column))
  }
}

/** Any text in a column that the contract does not list. */
export const anything: Canonical = {
  start: 'any',
  step: (state, byte) => (isControl(byte) ? undefined : state),
  final: () => true,
}

/** A text that no trim would shorten. */
const trimmedText: Canonical = {
  start: 'none',
  step(state, byte) {
    if (isControl(byte)) return undefined
    if (state === 'none') return byte === SPACE || byte === C2 ? undefined : 'text'
    // The last byte of U+00A0 is that of other characters, too.
    return byte === SPACE || byte === NBSP ? 'blank' : 'text'
  },
  final: (state) => state === 'text',
}

function number(column: PlanColumn, { digits, decimals }: { digits: number; decimals: number }): Canonical | null {
  const plain = plainNumbers(column, digits)
  if (!plain) return null
  const { least, most, negative } = plain
  const point = (column.decimal ?? '.').charCodeAt(0)
  return {
    start: 'none',
    step(state, byte) {
      const [where = '', count = '0'] = state.split(' ')
      const next = Number(count) + 1
      if (byte === MINUS) return state === 'none' && negative ? 'minus' : undefined
      if (byte === point) return where === 'whole' && decimals > 0 && Number(count) >= least ? 'point' : undefined
      if (!isDigit(byte)) return undefined
      // A double of -0 is 0, which its reader does not know.
      if (where === 'minus' && byte === ZERO && column.kind === 'double') return undefined
      if (where === 'none' || where === 'minus') return byte === ZERO && least > 0 ? undefined : 'whole 1'
      if (where === 'whole') return next <= most ? `whole ${next}` : undefined
      return next <= decimals ? `decimal ${next}` : undefined
    },
    final(state) {
      const [where, count] = state.split(' ')
      return where === 'decimal' || (where === 'whole' && Number(count) >= least)
    },
  }
}

const LONGEST_LIST = 4096

/** @returns null for a list so long that a state for each byte of it would be too many */
function words(all: string[]): Canonical | null {
  const listed = all.map((word) => Buffer.from(word).toString('latin1'))
  if (listed.reduce((sum, word) => sum + word.length, 0) > LONGEST_LIST) return null
  return {
    start: '',
    step(state, byte) {
      const text = state + String.fromCharCode(byte)
      return listed.some((word) => word.startsWith(text)) ? text : undefined
    },
    final: (state) => listed.includes(state),
  }
}

/** What is known of a moment so far. Which year is a leap year is not: 29 February is not canonical. */
interface Progress {
  piece: number
  /** Bytes of the piece. */
  taken: number
  /** Of a number of two digits its value, and of a year with limits; else whether a digit is not 0. */
  value: number
  /** Days of the month at most, 0 while unknown, -1 when month and day have been seen to agree. */
  most: number
  day: number
}

const LIMITS: Record<string, [number, number]> = { M: [1, 12], d: [1, 31], H: [0, 23], m: [0, 59], s: [0, 59] }
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** Whether a number that begins so, with so many digits to come, can be one of the years. */
const leadsTo = (value: number, digits: number, { first, last }: { first: number; last: number }) =>
  (value + 1) * 10 ** digits > first && value * 10 ** digits <= last

function moment(format: string, years: ReturnType<typeof plainYears>): Canonical | null {
  type Piece = { letter: string; least: number; most: number } | { text: Buffer }
  const pieces = parseFormat(format).map(
    (piece): Piece =>
      'token' in piece
        ? { letter: piece.token.charAt(0), least: piece.token.length, most: Math.max(2, piece.token.length) }
        : { text: Buffer.from(piece.text) },
  )
  const startsWithDigit = (at: number) => {
    const next = pieces[at]
    return next !== undefined && ('letter' in next || isDigit(next.text[0] ?? 0))
  }
  // Where a number's end cannot be seen, engines differ on it.
  if (pieces.some((piece, i) => 'letter' in piece && piece.least < piece.most && startsWithDigit(i + 1))) return null

  /** Goes on to the next piece, if this one may end here. */
  function ended(at: Progress): Progress | undefined {
    const piece = pieces[at.piece]
    if (!piece) return undefined
    const next = { ...at, piece: at.piece + 1, taken: 0, value: 0 }
    if (!('letter' in piece)) return at.taken === piece.text.length ? next : undefined
    if (at.taken < piece.least) return undefined
    if (piece.letter === 'y') return at.value >= (years?.first ?? 1) ? next : undefined
    const [least, most] = LIMITS[piece.letter] ?? [0, Number.POSITIVE_INFINITY]
    if (at.value < least || at.value > most) return undefined
    if (piece.letter === 'M') next.most = DAYS[at.value - 1] ?? 0
    if (piece.letter === 'd') next.day = Math.max(28, at.value)
    if (next.most <= 0 || next.day === 0) return next
    return next.day <= next.most ? { ...next, most: -1, day: 0 } : undefined
  }

  function take(at: Progress, byte: number): Progress | undefined {
    const piece = pieces[at.piece]
    if (!piece) return undefined
    if (!('letter' in piece))
      return piece.text[at.taken] === byte && at.taken < piece.text.length ? { ...at, taken: at.taken + 1 } : undefined
    if (!isDigit(byte) || at.taken === piece.most) return undefined
    const digit = byte - ZERO
    const counts = piece.letter in LIMITS || (piece.letter === 'y' && years)
    const value = counts ? at.value * 10 + digit : Math.max(at.value, Math.min(digit, 1))
    // No more states than there are such years.
    if (piece.letter === 'y' && years && !leadsTo(value, 3 - at.taken, years)) return undefined
    return { ...at, taken: at.taken + 1, value }
  }

  const begin: Progress = { piece: 0, taken: 0, value: 0, most: 0, day: 0 }
  return {
    start: JSON.stringify(begin),
    step(state, byte) {
      const at: Progress = JSON.parse(state)
      const next = ended(at)
      const taken = take(at, byte) ?? (next && take(next, byte))
      return taken && JSON.stringify(taken)
    },
    final(state) {
      const next = ended(JSON.parse(state))
      return next?.piece === pieces.length && next.most === -1
    },
  }
}
