import { describe, expect, it } from 'vitest'
import { svgOf } from './svg.ts'

const shapes = (text: string) => [...svgOf(text, 'title').matchAll(/<(rect|text) x=.+/g)].map(([shape]) => shape)

describe('a picture of what a terminal shows', () => {
  it('has words where they are in the line, in their colours, and as wide', () => {
    const [plain, red] = shapes('ab  \u001b[31m<c&>\u001b[39m')
    expect(plain).toBe(
      '<text x="14.0" y="28" textLength="15.6" lengthAdjust="spacingAndGlyphs" fill="#e6edf3">ab</text>',
    )
    expect(red).toContain(`x="${(14 + 4 * 7.8).toFixed(1)}"`)
    expect(red).toContain('fill="#ff7b72">&lt;c&amp;&gt;</text>')
  })

  it('has the blocks of bars as rectangles, each kind apart', () => {
    const [waiting, working] = shapes('  ░░\u001b[32m███\u001b[39m')
    expect(waiting).toBe('<rect x="29.6" y="17.5" width="15.6" height="12" fill="#e6edf3" opacity="0.55"/>')
    expect(working).toBe('<rect x="45.2" y="17.5" width="23.4" height="12" fill="#7ee787" opacity="1"/>')
  })

  it('is as large as the longest line and all lines need', () => {
    expect(svgOf('\u001b[1mab\u001b[22m\nabcd\n', 'title')).toContain('viewBox="0 0 60 66"')
  })
})
