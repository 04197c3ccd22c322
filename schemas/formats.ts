/** One piece of a Java-style date pattern: a field, or text that stands for itself. */
export type FormatPiece = { token: FormatToken } | { text: string }
export type FormatToken = keyof typeof TOKENS

/**
 * What each field reads as an ASCII grammar. Year 0000 is in no calendar, and engines differ on it.
 * `M`, `d`, `H` take one or two digits, as Java does; the doubled ones exactly two.
 */
const TOKENS = {
  yyyy: '(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])',
  MM: '[0-9]{2}',
  M: '[0-9]{1,2}',
  dd: '[0-9]{2}',
  d: '[0-9]{1,2}',
  HH: '[0-9]{2}',
  H: '[0-9]{1,2}',
  mm: '[0-9]{2}',
  ss: '[0-9]{2}',
  SSS: '[0-9]{3}',
  SSSSSS: '[0-9]{6}',
} as const

/** @throws Error naming the letters that mean nothing here. */
export function parseFormat(format: string): FormatPiece[] {
  const pieces: FormatPiece[] = []
  for (const [piece] of format.matchAll(/'(?:[^']|'')*'|([A-Za-z])\1*|[^A-Za-z]/gu)) {
    if (piece === "'") throw new Error(`a pattern whose ' is closed`)
    if (piece === "''") pieces.push({ text: "'" })
    else if (piece.startsWith("'")) pieces.push({ text: piece.slice(1, -1).replaceAll("''", "'") })
    else if (piece in TOKENS) pieces.push({ token: piece as FormatToken })
    else if (/[A-Za-z]/.test(piece))
      throw new Error(`a pattern of ${Object.keys(TOKENS).join(', ')} ("${piece}" is none)`)
    else pieces.push({ text: piece })
  }
  return pieces
}

/** A regular expression for the text of a format, in the syntax that RE2, Java and JavaScript share. */
export const formatGrammar = (format: string): string =>
  parseFormat(format)
    .map((piece) => ('token' in piece ? TOKENS[piece.token] : piece.text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
    .join('')

/** @returns what a format of a column should have been, or null if it is right. */
export function formatProblem(format: string, kind: string): string | null {
  if (kind !== 'date' && kind !== 'timestamp') return `no formats: they belong to date and timestamp, not to ${kind}`
  let pieces: FormatPiece[]
  try {
    pieces = parseFormat(format)
  } catch (error) {
    return (error as Error).message
  }
  const isDigit = (piece: FormatPiece | undefined) =>
    piece !== undefined && ('token' in piece || /^[0-9]/.test(piece.text))
  const open = pieces.find((piece, i) => 'token' in piece && piece.token.length === 1 && isDigit(pieces[i + 1]))
  // Nothing says where such a number ends: 1022015 by Mddyyyy is 2 January 2015 to one engine, 22 October 15 to another.
  if (open && 'token' in open)
    return `a pattern in which ${open.token}, of one or two digits, is not followed by a digit (${open.token.repeat(2)} always has two)`
  const letters = pieces.map((piece) => ('token' in piece ? piece.token.charAt(0) : '')).join('')
  const sorted = [...letters].sort().join('')
  if (kind === 'date') return sorted === 'Mdy' ? null : 'a date pattern with year, month and day once each'
  // Capitals sort first: H hour, M month, S fraction, d day, m minute, s second, y year.
  return /^HM(S(?=dms)|)dm(s?)y$/.test(sorted)
    ? null
    : 'a timestamp pattern with year, month, day, hour and minute once each'
}

export const DEFAULT_FORMATS = {
  date: ['yyyy-MM-dd'],
  timestamp: ['yyyy-MM-dd HH:mm:ss', "yyyy-MM-dd'T'HH:mm:ss"],
} as const
