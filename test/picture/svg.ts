/** Of one character, in pixels. */
const WIDTH = 7.8
const HEIGHT = 19
const MARGIN = 14

const COLOURS: Record<number, string> = {
  31: '#ff7b72',
  32: '#7ee787',
  33: '#e3b341',
  34: '#79c0ff',
  35: '#d2a8ff',
  36: '#56d4dd',
}
/** Drawn as rectangles: in most fonts, such characters leave gaps. Opacity and height. */
const BLOCKS: Record<string, [opacity: number, height: number]> = {
  '░': [0.55, 12],
  '▒': [0.6, 12],
  '█': [1, 12],
  '─': [1, 2],
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the colours of a terminal are such.
const PIECE = /\u001b\[(?<code>\d*)m|(?<block>([░▒█─])\3*)|(?<words>[^\u001b░▒█─]+)/g

type Style = { colour: string; bold: boolean; dim: boolean }
const PLAIN: Style = { colour: '#e6edf3', bold: false, dim: false }

/**
 * A picture of what a terminal shows: lines of text with colours, no moving of the cursor.
 * @param title for who cannot see it
 */
export function svgOf(text: string, title: string): string {
  const lines = text.trimEnd().split('\n')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours of a terminal are such.
  const columns = Math.max(...lines.map((line) => line.replace(/\u001b\[\d*m/g, '').length))
  const [width, height] = [columns * WIDTH + 2 * MARGIN, lines.length * HEIGHT + 2 * MARGIN].map(Math.ceil)
  const shapes = lines.flatMap((line, i) => shapesOf(line, MARGIN + i * HEIGHT))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="100%" height="100%" rx="8" fill="#0d1117"/>`,
    `<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="13" xml:space="preserve">`,
    ...shapes,
    '</g>',
    '</svg>',
    '',
  ].join('\n')
}

function shapesOf(line: string, top: number): string[] {
  const shapes: string[] = []
  let style = PLAIN
  let column = 0
  for (const { groups = {} } of line.matchAll(PIECE)) {
    const { code, block, words } = groups
    if (code !== undefined) style = styled(style, Number(code))
    const run = block ?? words
    if (run === undefined) continue
    if (run.trim() !== '') shapes.push(block ? blockOf(block, column, top, style) : textOf(run, column, top, style))
    column += run.length
  }
  return shapes
}

function styled(style: Style, code: number): Style {
  if (code === 1) return { ...style, bold: true }
  if (code === 2) return { ...style, dim: true }
  if (code === 22) return { ...style, bold: false, dim: false }
  return { ...style, colour: COLOURS[code] ?? PLAIN.colour }
}

const at = (column: number) => (MARGIN + column * WIDTH).toFixed(1)

function blockOf(run: string, column: number, top: number, { colour, dim }: Style): string {
  const [opacity, high] = BLOCKS[run[0] ?? ''] ?? [1, 12]
  const y = top + (HEIGHT - high) / 2
  const width = (run.length * WIDTH).toFixed(1)
  return `<rect x="${at(column)}" y="${y}" width="${width}" height="${high}" fill="${colour}" opacity="${dim ? 0.5 : opacity}"/>`
}

/** As wide as in a terminal, whatever font there is. */
function textOf(run: string, column: number, top: number, { colour, bold, dim }: Style): string {
  const words = run.trimStart()
  const x = at(column + run.length - words.length)
  const shown = words.trimEnd()
  const look = `fill="${colour}"${bold ? ' font-weight="bold"' : ''}${dim ? ' opacity="0.6"' : ''}`
  const length = (shown.length * WIDTH).toFixed(1)
  return `<text x="${x}" y="${top + 14}" textLength="${length}" lengthAdjust="spacingAndGlyphs" ${look}>${escaped(shown)}</text>`
}

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
