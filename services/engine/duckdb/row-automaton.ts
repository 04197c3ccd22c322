import type { Plan } from '../../../schemas/plan.ts'
import { anything, type Canonical, canonical } from './canonical.ts'
import type { Layout } from './header.ts'

/** No row of canonical values goes on, or ends, with this byte. */
export const FAIL = 0
/** The byte is the end of a line that is a row of canonical values. */
export const ACCEPT = 1
const LF = 10
const CR = 13

/** The rows of a file of which every value is canonical: one table, so that a row costs one look-up a byte. */
export interface RowAutomaton {
  /** The class of each byte. */
  kinds: Uint8Array
  /** The state after a byte, at state + class. States below 2 are FAIL and ACCEPT. */
  next: Uint32Array
  start: number
}

const automata = new WeakMap<Plan, Map<string, RowAutomaton>>()

/** Files of one layout share an automaton. */
export function rowAutomaton(plan: Plan, layout: Layout): RowAutomaton {
  const known = automata.get(plan) ?? new Map<string, RowAutomaton>()
  automata.set(plan, known)
  const key = JSON.stringify(layout)
  const found = known.get(key) ?? build(plan, layout)
  known.set(key, found)
  return found
}

type Field = { content: Canonical | null; mayBeEmpty: boolean; isText: boolean }
/** `before` a field nothing of it has been read; `closed` is behind its second quote. */
type State = { column: number; where: 'before' | 'plain' | 'quoted' | 'closed'; content: string }

function build(plan: Plan, { width, places }: Layout): RowAutomaton {
  const delimiter = plan.source.delimiter.charCodeAt(0)
  const quote = plan.source.quote.charCodeAt(0)
  const fields: Field[] = Array.from({ length: width }, (_, place) => {
    const column = plan.columns[places.indexOf(place)]
    // An empty line is no row.
    const mayBeEmpty = width > 1 && !column?.required
    const isText = column === undefined || column.kind === 'string'
    return { content: column ? canonical(column) : anything, mayBeEmpty, isText }
  })
  const before = (column: number): State => ({ column, where: 'before', content: fields[column]?.content?.start ?? '' })

  function step(state: State, byte: number): State | 'accept' | undefined {
    const { column, where } = state
    const { content, mayBeEmpty, isText } = fields[column] ?? { content: null, mayBeEmpty: false, isText: false }
    const inside = (where: State['where']) => {
      const next = content?.step(state.content, byte)
      return next === undefined ? undefined : { column, where, content: next }
    }
    if (where === 'quoted') {
      if (byte === LF || byte === CR) return undefined
      return byte === quote ? { column, where: 'closed', content: state.content } : inside('quoted')
    }
    if (byte === delimiter || byte === LF || byte === CR) {
      const whole = where === 'before' ? mayBeEmpty : (content?.final(state.content) ?? false)
      if (!whole) return undefined
      if (byte === delimiter) return column + 1 < width ? before(column + 1) : undefined
      return column + 1 === width ? 'accept' : undefined
    }
    if (where === 'before' && byte === quote)
      return content ? { column, where: 'quoted', content: content.start } : undefined
    // A doubled quote is one of the value: for text alone, since the reader casts other types before it takes the second away.
    if (where === 'closed') return byte === quote && isText ? inside('quoted') : undefined
    return byte === quote ? undefined : inside('plain')
  }

  const { kinds, samples } = classes(plan, delimiter, quote)
  const numbers = new Map<string, number>()
  const states: State[] = []
  const numberOf = (state: State) => {
    const key = JSON.stringify(state)
    const number = numbers.get(key) ?? states.push(state) - 1
    numbers.set(key, number)
    return number
  }
  // FAIL and ACCEPT take the place of the first state.
  const offset = (number: number) => (number + 1) * samples.length
  const rows: number[][] = []
  numberOf(before(0))
  for (let number = 0; number < states.length; number++) {
    const state = states[number] as State
    rows.push(
      samples.map((byte) => {
        const next = step(state, byte)
        return next === undefined ? FAIL : next === 'accept' ? ACCEPT : offset(numberOf(next))
      }),
    )
  }
  return { kinds, next: Uint32Array.from([samples.map(() => FAIL), ...rows].flat()), start: offset(0) }
}

/** Bytes that no column tells apart are of one class. A sample of each. */
function classes(plan: Plan, delimiter: number, quote: number) {
  const texts = plan.columns.flatMap(({ formats, oneOf }) => [...(formats ?? []), ...(oneOf ?? [])]).join('')
  const alone = new Set([...Buffer.from(`0123456789-., truefals${texts}`), delimiter, quote, LF, CR, 0xc2, 0xa0])
  const groups = new Map<number | string, number[]>()
  for (let byte = 0; byte < 256; byte++) {
    const key = alone.has(byte) ? byte : byte < 32 || byte === 127 ? 'control' : byte < 128 ? 'visible' : 'high'
    groups.set(key, [...(groups.get(key) ?? []), byte])
  }
  const kinds = new Uint8Array(256)
  const samples = [...groups.values()].map((bytes, kind) => {
    for (const byte of bytes) kinds[byte] = kind
    return bytes[0] as number
  })
  return { kinds, samples }
}
