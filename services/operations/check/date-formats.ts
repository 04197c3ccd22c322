import { formatGrammar, parseFormat } from '../../../schemas/formats.ts'

/** Ways to write a day, the strictest of each kind first. */
const DAYS = [
  'yyyy-MM-dd',
  'yyyy-M-d',
  'yyyyMMdd',
  'yyyy/M/d',
  'yyyy.M.d',
  'M/d/yyyy',
  'd/M/yyyy',
  'd.M.yyyy',
  'd-M-yyyy',
  'M-d-yyyy',
  'M.d.yyyy',
]
const TIMES = [
  ' HH:mm:ss',
  "'T'HH:mm:ss",
  "'T'HH:mm:ss'Z'",
  ' HH:mm:ss.SSS',
  "'T'HH:mm:ss.SSS",
  "'T'HH:mm:ss.SSS'Z'",
  ' HH:mm:ss.SSSSSS',
  "'T'HH:mm:ss.SSSSSS",
  "'T'HH:mm:ss.SSSSSS'Z'",
  ' HH:mm',
  "'T'HH:mm",
  ' H:mm:ss',
  ' H:mm',
]

export const FORMATS = {
  // As some tools write a day that they keep as an instant.
  date: [...DAYS, ...DAYS.map((day) => `${day} 00:00:00`)],
  timestamp: TIMES.flatMap((time) => DAYS.map((day) => `${day}${time}`)),
} as const

const BLANKS = /^[\t-\r \u00a0]+|[\t-\r \u00a0]+$/g

/** Whether a text is a day, or an instant, by a format, in the calendar as well. */
function fits(format: string): (value: string) => boolean {
  const pieces = parseFormat(format)
  const source = pieces.map((piece) =>
    'token' in piece ? `(${formatGrammar(piece.token)})` : formatGrammar(`'${piece.text.replaceAll("'", "''")}'`),
  )
  const grammar = new RegExp(`^${source.join('')}$`)
  const letters = pieces.flatMap((piece) => ('token' in piece ? piece.token.charAt(0) : []))
  return (value) => {
    const found = grammar.exec(value.replace(BLANKS, ''))
    if (!found) return false
    const of = (letter: string) => Number(found[letters.indexOf(letter) + 1] ?? 0)
    const has = (letter: string) => letters.includes(letter)
    const [year, month, day] = [of('y'), of('M'), of('d')]
    // Day 0 of the month after is the last of this one. Years below 100 would be taken for 19xx, so 400 years later.
    const days = new Date(Date.UTC(year + 400, month, 0)).getUTCDate()
    if (month < 1 || month > 12 || day < 1 || day > days) return false
    return (!has('H') || of('H') < 24) && (!has('m') || of('m') < 60) && (!has('s') || of('s') < 60)
  }
}

/** The first format by which all of the values are right. */
export function formatOf(kind: keyof typeof FORMATS, values: string[], known: string[]): string | undefined {
  return FORMATS[kind].find((format) => !known.includes(format) && values.every(fits(format)))
}

/** The format that would read a value of the other one as another day, as `M/d/yyyy` does of `d/M/yyyy`. */
export function confusedWith(format: string, known: string[]): string | undefined {
  const swapped = format.replace(/M+|d+/g, (letters) => (letters.startsWith('M') ? 'd' : 'M'))
  return known.find((other) => other.replace(/MM/g, 'M').replace(/dd/g, 'd') === swapped)
}
