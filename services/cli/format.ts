import { stripVTControlCharacters, styleText } from 'node:util'

export const count = (n: number | undefined): string => (n === undefined ? '-' : n.toLocaleString('en'))

/** Thousandths matter below ten seconds, and to no one above. */
export const seconds = (ms: number | undefined): string =>
  ms === undefined ? '-' : `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`

/** Bytes, as people buy them: thousands. */
export function size(bytes: number): string {
  const units = ['kB', 'MB', 'GB', 'TB']
  if (bytes < 1000) return plural(bytes, 'byte')
  const power = Math.min(Math.floor(Math.log10(bytes) / 3), units.length)
  const value = bytes / 1000 ** power
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[power - 1]}`
}

export const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`

/** How long ago, or how long it took, to a person who waits. */
export function age(ms: number | undefined): string {
  if (ms === undefined) return '-'
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 1) return `${Math.max(0, Math.round(ms / 1000))} s`
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d`
}

/** An instant of the ledger, to the second; always UTC. */
export const instant = (iso: string | undefined): string => iso?.slice(0, 19).replace('T', ' ') ?? '-'

/** What others wrote (keys, values, lines of files), so that no control character of it reaches a terminal. */
export const visible = (text: string, most = Number.POSITIVE_INFINITY): string => {
  const cut = text.length > most ? `${text.slice(0, most)}…` : text
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it replaces.
  return cut.replace(/[\u0000-\u001f\u007f-\u009f]/g, (char) =>
    char === '\t' ? '\\t' : `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}

/** Words on as many lines as they need, each after the first indented. */
export function wrap(text: string, width: number, indent = ''): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && indent.length + line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line].join(`\n${indent}`)
}

/** What will not be as one may think. */
export function warning(words: string, width = 110): string {
  const name = 'Warning'
  return paint('yellow', name) + wrap(`${name}: ${words}`, width, '  ').slice(name.length)
}

type Style = Parameters<typeof styleText>[0]

/** Colours only on a terminal, and never with NO_COLOR; Node decides for the stream. */
export const paint = (style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string =>
  styleText(style, text, { stream, validateStream: true })

const NUMBER = /^-?[\d,]+(\.\d+)?( s)?$|^-$/
const widthOf = (cell: string) => stripVTControlCharacters(cell).length
const pad = (cell: string, width: number, right: boolean) => {
  const blanks = ' '.repeat(Math.max(0, width - widthOf(cell)))
  return right ? blanks + cell : cell + blanks
}

/** Columns aligned: numbers to the right, text to the left. The first row is the heading. */
export function table(rows: string[][]): string {
  const [heading = [], ...body] = rows
  const columns = heading.map((title, i) => {
    const cells = body.map((row) => row[i] ?? '')
    const said = cells.filter((cell) => cell !== '')
    return {
      width: Math.max(title.length, ...cells.map(widthOf)),
      right: said.length > 0 && said.every((cell) => NUMBER.test(stripVTControlCharacters(cell))),
    }
  })
  const line = (row: string[]) =>
    columns
      .map(({ width, right }, i) => pad(row[i] ?? '', width, right))
      .join('  ')
      .trimEnd()
  return [paint('bold', line(heading)), ...body.map(line)].join('\n')
}
