import { styleText } from 'node:util'

export const count = (n: number | undefined): string => (n === undefined ? '-' : n.toLocaleString('en'))

/** Thousandths matter below ten seconds, and to no one above. */
export const seconds = (ms: number | undefined): string =>
  ms === undefined ? '-' : `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`

export const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`

type Style = Parameters<typeof styleText>[0]

/** Colours only on a terminal, and never with NO_COLOR; Node decides for the stream. */
export const paint = (style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string =>
  styleText(style, text, { stream, validateStream: true })

const NUMBER = /^-?[\d,]+(\.\d+)?( s)?$|^-$/

/** Columns aligned: numbers to the right, text to the left. The first row is the heading. */
export function table(rows: string[][]): string {
  const [heading = [], ...body] = rows
  const columns = heading.map((title, i) => {
    const cells = body.map((row) => row[i] ?? '')
    return {
      width: Math.max(title.length, ...cells.map(({ length }) => length)),
      right: cells.length > 0 && cells.every((cell) => NUMBER.test(cell)),
    }
  })
  const line = (row: string[]) =>
    columns
      .map(({ width, right }, i) => (right ? (row[i] ?? '').padStart(width) : (row[i] ?? '').padEnd(width)))
      .join('  ')
      .trimEnd()
  return [paint('bold', line(heading)), ...body.map(line)].join('\n')
}
