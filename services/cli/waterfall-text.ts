import type { Bar, Share, Waterfall } from '../operations/waterfall.ts'
import { paint, visible, wrap } from './format.ts'

/** A line of the picture, and the stretches of time that its bar is made of. */
export type Row = Pick<Bar, 'name' | 'depth' | 'from' | 'to' | 'failed' | 'why'> & {
  /** After the name, e.g. how it ended. */
  note?: string
  parts?: { share: Share; from: number; to?: number }[]
}
export type Scale = { from: number; to: number }

const LEAST_BAR = 10
const MOST_BAR = 100
const LEAST_NAME = 8
/** The last column's blank is where an ellipsis may be. */
const HEADING = { label: 'stage', note: 'ended', at: 'from', took: 'took ' }

const LOOK: Record<Share, { fill: string; style: Parameters<typeof paint>[0] }> = {
  waiting: { fill: '░', style: 'yellow' },
  starting: { fill: '▒', style: 'blue' },
  job: { fill: '▒', style: 'blue' },
  working: { fill: '█', style: 'green' },
  publishing: { fill: '█', style: 'cyan' },
  settling: { fill: '█', style: 'cyan' },
  crawl: { fill: '█', style: 'magenta' },
  comparing: { fill: '█', style: 'cyan' },
  between: { fill: '·', style: 'dim' },
}

export const rowsOf = ({ bars }: Waterfall): Row[] =>
  bars.map(({ share, ...bar }) => ({ ...bar, ...(share && { parts: [{ share, from: bar.from, to: bar.to }] }) }))

/** A line each, their bars to one scale. What goes on still is drawn up to the scale's end, with an ellipsis. */
export function picture(rows: Row[], scale: Scale, width: number): string[] {
  const digits = scale.to - scale.from < 100_000 ? 2 : 1
  const inSeconds = (ms: number) => `${(ms / 1000).toFixed(digits)} s`
  const told = rows.map((row) => ({
    label: `${'  '.repeat(row.depth)}${visible(row.name)}`,
    note: row.note ?? '',
    at: inSeconds(row.from - scale.from),
    took: `${inSeconds((row.to ?? scale.to) - row.from)}${row.to === undefined ? '…' : ' '}`,
  }))
  const widest = (cell: keyof typeof HEADING) => Math.max(0, ...told.map((line) => line[cell].length))
  const notes = widest('note') && Math.max(widest('note'), HEADING.note.length)
  const [ats, tooks] = [widest('at'), widest('took')]
  const times = (notes > 0 ? notes + 2 : 0) + 2 + ats + 2 + tooks + 1
  const labels = Math.min(widest('label'), Math.max(LEAST_NAME, width - times - LEAST_BAR))
  const cells = Math.min(MOST_BAR, Math.max(LEAST_BAR, width - times - labels))
  const words = ({ label, note, at, took }: typeof HEADING, paintLabel: (text: string) => string) =>
    [
      paintLabel(cut(label, labels).padEnd(labels)),
      ...(notes > 0 ? [note.padEnd(notes)] : []),
      at.padStart(ats),
      took.padStart(tooks),
    ].join('  ')
  const lines = rows.flatMap((row, i) => {
    const look = (text: string) => (row.failed ? paint('red', text) : row.depth === 0 ? paint('bold', text) : text)
    const line = `${words(told[i] ?? HEADING, look)} ${barOf(row, scale, cells)}`
    return row.why ? [line, paint('red', because(row.why, row.depth, width))] : [line]
  })
  return [paint('dim', words(HEADING, (text) => text).trimEnd()), ...lines]
}

const cut = (name: string, most: number) => (name.length > most ? `${name.slice(0, most - 1)}…` : name)

function because(why: string, depth: number, width: number): string {
  const indent = ' '.repeat(2 * depth + 2)
  return `${indent}└ ${wrap(visible(why), width, `${indent}  `)}`
}

/** Whole cells; what is shorter than one still has its own. */
function barOf({ from, to, parts, failed }: Row, scale: Scale, cells: number): string {
  const cell = cellsOf(scale, cells)
  const [first, last] = cell(from, to ?? scale.to)
  if (!parts) return ' '.repeat(first) + paint(failed ? 'red' : 'dim', '─'.repeat(last - first))
  const shares: (Share | undefined)[] = Array.from({ length: last }, () => undefined)
  for (const part of parts) {
    const [start, end] = cell(part.from, part.to ?? scale.to)
    shares.fill(part.share, start, end)
  }
  let bar = ''
  for (let at = 0; at < last; ) {
    const share = shares[at]
    let end = at + 1
    while (end < last && shares[end] === share) end++
    const look = share && LOOK[share]
    bar += look ? paint(failed ? 'red' : look.style, look.fill.repeat(end - at)) : ' '.repeat(end - at)
    at = end
  }
  return bar
}

const cellsOf =
  ({ from, to }: Scale, cells: number) =>
  (start: number, end: number): [first: number, last: number] => {
    const place = (time: number) => Math.round(((time - from) / Math.max(1, to - from)) * cells)
    const first = Math.min(cells - 1, Math.max(0, place(start)))
    return [first, Math.min(cells, Math.max(first + 1, place(end)))]
  }

/** What the fills of a bar mean where no line has its name. */
export const LEGEND = '░ waiting  ▒ starting, or in a job  █ working, publishing, crawl'

const WORDS: Partial<Record<Share, string>> = { waiting: 'waited', job: 'job', between: 'between stages' }

/** A blank at which no line is broken. */
export const UNBROKEN = '\u00a0'

/** Where all of the time went: the parts add up to it, but for those that round to nothing. */
export function sharesText({ shares }: Waterfall): string {
  const told = shares.filter(({ took }) => took >= 50)
  return told.map(({ share, took }) => `${WORDS[share] ?? share}${UNBROKEN}${(took / 1000).toFixed(1)}`).join(', ')
}

export const clampedText = (clamped: string[]): string =>
  `Clocks differed: ${clamped.join(', ')} could not be as told, and is drawn where it could be.`
