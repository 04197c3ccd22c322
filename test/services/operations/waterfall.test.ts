import { describe, expect, it } from 'vitest'
import { type Document, waterfallOf } from '../../../services/operations/waterfall.ts'
import { traceOf } from '../../../services/trace/segments.ts'
import { journeys } from '../trace/journeys.ts'

const NOW = 20_000
const document = (id: string, name: string, start_time: number, end_time?: number, more: object = {}): Document => ({
  id,
  name,
  start_time,
  ...(end_time !== undefined && { end_time }),
  ...more,
})
const root = document('r', 'landfall sales', 1, 9)

describe('a waterfall', () => {
  it('has the stages in order, each with its parts below, and not the root, which is all of it', () => {
    const parts = [document('p', 'publishing', 4, 5), document('w', 'waiting', 1, 2)]
    const convert = document('c', 'convert', 1, 5, { parent_id: 'r', subsegments: parts })
    const catalog = document('k', 'catalog', 5, 9, { parent_id: 'r', subsegments: [document('x', 'crawl', 5, 9)] })
    const waterfall = waterfallOf([catalog, root, convert], NOW)
    expect(waterfall).toMatchObject({ from: 1000, to: 9000 })
    expect(waterfall?.bars.map(({ name, depth, from, to }) => [name, depth, from, to])).toEqual([
      ['convert', 0, 1000, 5000],
      ['waiting', 1, 1000, 2000],
      ['publishing', 1, 4000, 5000],
      ['catalog', 0, 5000, 9000],
      ['crawl', 1, 5000, 9000],
    ])
  })

  it('counts each moment once, however many parts go over it', () => {
    const working = document('w', 'working', 3, 6)
    const parts = [document('s', 'starting', 1, 3), document('j', 'job', 2, 7, { subsegments: [working] })]
    const convert = document('c', 'convert', 1, 7, { parent_id: 'r', subsegments: parts })
    expect(waterfallOf([root, convert], NOW)?.shares).toEqual([
      { share: 'starting', took: 2000 },
      { share: 'working', took: 3000 },
      { share: 'job', took: 1000 },
      { share: 'between', took: 2000 },
    ])
  })

  it('goes up to now while anything goes on', () => {
    const waiting = document('w', 'waiting', 9)
    const convert = document('c', 'convert', 9, undefined, { parent_id: 'r', subsegments: [waiting] })
    const waterfall = waterfallOf([document('r', 'landfall sales', 9), convert], NOW)
    expect(waterfall).toMatchObject({ from: 9000, shares: [{ share: 'waiting', took: 11_000 }] })
    expect(waterfall).not.toHaveProperty('to')
  })

  it('names why a stage failed once, and which instants were moved', () => {
    const cause = { exceptions: [{ type: 'convert_job_failed', message: 'Out of memory' }] }
    const job = document('j', 'job', 1, 3, { fault: true, cause: 'e' })
    const more = { parent_id: 'r', fault: true, cause, metadata: { landfall: { clamped: ['jobStartedAt'] } } }
    const convert = document('c', 'convert', 1, 3, { ...more, subsegments: [job] })
    const waterfall = waterfallOf([{ ...root, fault: true, cause: 'e' }, convert], NOW)
    expect(waterfall?.bars).toMatchObject([
      { name: 'convert', failed: 'fault', why: 'convert_job_failed: Out of memory' },
      { name: 'job', failed: 'fault' },
    ])
    expect(waterfall?.bars[1]).not.toHaveProperty('why')
    expect(waterfall?.clamped).toEqual(['jobStartedAt of convert'])
  })

  it('leaves out what X-Ray infers, which would show the same time again', () => {
    const job = document('j', 'job', 1, 3, { namespace: 'remote' })
    const convert = document('c', 'convert', 1, 3, { parent_id: 'r', subsegments: [job] })
    const inferred = document('i', 'job', 1, 3, { parent_id: 'j', inferred: true })
    expect(waterfallOf([root, convert, inferred], NOW)).toEqual(waterfallOf([root, convert], NOW))
  })

  it('draws a run that never came to a stage by itself, and nothing where there is nothing', () => {
    const cause = { exceptions: [{ type: 'not_taken_in', message: 'Denied' }] }
    const bars = waterfallOf([{ ...root, fault: true, cause }], NOW)?.bars
    expect(bars).toMatchObject([{ name: 'landfall sales', depth: 0, why: 'not_taken_in: Denied' }])
    expect(waterfallOf([], NOW)).toBeUndefined()
  })

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'of whatever becomes of files adds up to all of their time (seed %i)',
    async (seed) => {
      const found = await journeys(seed, 300)
      expect(found.length).toBeGreaterThan(0)
      for (const { run, zip } of found) {
        const waterfall = waterfallOf(traceOf(run, zip), Date.parse('2030-01-01'))
        if (!waterfall) throw new Error(`${run.key} has none`)
        const { from, to = Number.NaN, bars, shares } = waterfall
        expect(shares.reduce((sum, { took }) => sum + took, 0)).toBe(to - from)
        for (const bar of bars) {
          expect(bar.from).toBeGreaterThanOrEqual(from)
          expect(bar.to).toBeGreaterThanOrEqual(bar.from)
          expect(bar.to).toBeLessThanOrEqual(to)
        }
      }
    },
  )
})
