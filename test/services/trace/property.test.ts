import { beforeAll, describe, expect, it } from 'vitest'
import { type Segment, traceOf } from '../../../services/trace/segments.ts'
import { MOST_BYTES, SegmentDocument } from './document.ts'
import { isReplay, type Journey, journeys } from './journeys.ts'
import { all, covered, end, type Node } from './nodes.ts'

/** Worlds in a run of the tests; half of them with a Glue whose clock is up to three seconds off. */
const WORLDS = Number(process.env.WORLDS ?? 120)
const FIRST = Number(process.env.SEED ?? 1)
const SKEW_MS = 3_000

type Case = Journey & { seed: number; trace: Segment[]; skewed: boolean }
const cases: Case[] = []

beforeAll(async () => {
  for (let seed = FIRST; seed < FIRST + WORLDS; seed++) {
    const skewed = seed % 2 === 0
    for (const journey of await journeys(seed, skewed ? SKEW_MS : 0)) {
      // As X-Ray gets it.
      const trace = JSON.parse(JSON.stringify(traceOf(journey.run, journey.zip))) as Segment[]
      cases.push({ ...journey, seed, trace, skewed })
    }
  }
}, 300_000)

/** Of every case; what is wrong names the run. */
function each(say: (one: Case & { root: Segment; stages: Segment[] }) => void, of: Case[] = cases) {
  expect(of.length).toBeGreaterThan(0)
  for (const one of of) {
    const [root, ...stages] = one.trace
    const { seed, run } = one
    try {
      say({ ...one, root: root ?? expect.fail('no root'), stages })
    } catch (error) {
      const story = `Seed ${seed}: ${run.key} ${run.versionId} ${run.cause} ${run.state}\n${JSON.stringify(one, null, 1)}`
      throw new Error(`${(error as Error).message}\n${story}`, { cause: error })
    }
  }
}

describe(`traces of all that happens in ${WORLDS} worlds`, () => {
  it('are of every ending, of zips and members, of replays at each stage and of reruns', () => {
    const states = new Set(cases.map(({ run }) => `${run.kind} ${run.state}`))
    expect([...states].sort()).toEqual(
      expect.arrayContaining([
        'csv delivered',
        'csv failed',
        'csv refused',
        'csv superseded',
        'zip extracted',
        'zip superseded',
      ]),
    )
    const causes = new Set(cases.map(({ run }) => (run.cause === 'live' ? 'live' : run.cause.split('-')[0])))
    expect([...causes].sort()).toEqual(['convert', 'live', 'partition', 'rerun', 'unzip'])
    const stages = new Set(
      cases.map(({ trace }) =>
        trace
          .slice(1)
          .map(({ name }) => name)
          .join(' '),
      ),
    )
    expect([...stages]).toEqual(
      expect.arrayContaining([
        'unzip',
        'unzip convert partition catalog',
        'convert partition catalog',
        'partition catalog',
        'convert',
      ]),
    )
  })

  it('are documents as X-Ray publishes them, each of at most 64 KB', () => {
    each(({ trace }) => {
      for (const segment of trace) {
        SegmentDocument.parse(segment)
        expect(Buffer.byteLength(JSON.stringify(segment))).toBeLessThanOrEqual(MOST_BYTES)
      }
    })
  })

  it('have one root and no orphan, one trace id, and ids that are never the same', () => {
    const ids = new Set<string>()
    each(({ trace, root, stages }) => {
      expect(root.parent_id).toBeUndefined()
      expect(stages.map(({ parent_id }) => parent_id)).toEqual(stages.map(() => root.id))
      expect(new Set(trace.map(({ trace_id }) => trace_id)).size).toBe(1)
      const mine = all(trace).map(({ id }) => id)
      expect(new Set(mine).size).toBe(mine.length)
      ids.add(root.trace_id)
    })
    // Seeds repeat what happens, so ids of runs may come again; of one world they may not.
    for (const seed of new Set(cases.map((one) => one.seed))) {
      const traces = cases.filter((one) => one.seed === seed).map(({ trace }) => trace[0]?.trace_id)
      expect(new Set(traces).size).toBe(traces.length)
    }
  })

  it('contain their parts in time, in order, and none ends before it begins', () => {
    each(({ root, stages }) => {
      const contains = (outer: Node, inner: Node) => {
        expect(inner.start_time).toBeGreaterThanOrEqual(outer.start_time)
        expect(end(inner)).toBeLessThanOrEqual(end(outer))
        expect(end(inner)).toBeGreaterThanOrEqual(inner.start_time)
        const inside = inner.subsegments ?? []
        expect(inside.map(({ start_time }) => start_time)).toEqual(
          inside.map(({ start_time }) => start_time).sort((a, b) => a - b),
        )
        for (const part of inside) contains(inner, part)
      }
      for (const stage of stages) contains(root, stage)
      const order = ['unzip', 'convert', 'partition', 'catalog']
      const names = stages.map(({ name }) => name)
      expect(names).toEqual(order.filter((name) => names.includes(name)))
      expect(stages.map(({ start_time }) => start_time)).toEqual(
        stages.map(({ start_time }) => start_time).sort((a, b) => a - b),
      )
    })
  })

  it('cover at least 95 % of the run, by their stages and by the parts of those', () => {
    each(({ root, stages }) => {
      const whole = end(root) - root.start_time
      expect(covered(root, stages)).toBeGreaterThanOrEqual(0.95 * whole - 1e-6)
      expect(
        covered(
          root,
          stages.flatMap(({ subsegments = [] }) => subsegments),
        ),
      ).toBeGreaterThanOrEqual(0.95 * whole - 1e-6)
    })
  })

  it('begin as the file, or its zip, landed; of a replay or rerun when that registered it; and end with the run', () => {
    each(({ run, zip, root, stages }) => {
      const first = stages[0]?.name === 'unzip' && zip ? zip : run
      const began = first.cause === 'live' ? first.landedAt : first.registeredAt
      // A replay of partition says that it is queued a moment before it is registered.
      const queued = (run.typedBy && run.spanPartition?.queuedAt) ?? began
      expect(root.start_time).toBe(Date.parse(queued) / 1000)
      expect(end(root)).toBe(Date.parse(run.endedAt ?? '') / 1000)
    })
  })

  it('have the unzip stage of the zip that a member came in, and no replay of a member has it', () => {
    each(({ run, zip, stages }) => {
      if (run.kind === 'zip') return
      const came = zip?.members?.some(({ key, versionId }) => key === run.key && versionId === run.versionId)
      expect(stages[0]?.name === 'unzip').toBe(run.cause === 'live' && came === true)
    })
  })

  it('say fault of what failed and error of what was refused, with the cause, and neither of what was superseded', () => {
    each(({ run, root, stages }) => {
      const last = stages.at(-1) ?? expect.fail('no stage')
      const flags = (node: Node) => ({ fault: node.fault === true, error: node.error === true })
      const due = { fault: run.state === 'failed', error: run.state === 'refused' }
      expect(flags(root)).toEqual(due)
      expect(flags(last)).toEqual(due)
      for (const stage of stages.slice(0, -1)) expect(flags(stage)).toEqual({ fault: false, error: false })
      if (!due.fault && !due.error) return expect(last.cause).toBeUndefined()
      expect(last.cause).toMatchObject({
        exceptions: [{ id: root.cause, type: run.problem?.code, message: run.problem?.message }],
      })
    })
  })

  it('move no instant while all clocks agree, but the start of a crawl that began before the file was published', () => {
    const moved = (of: Case[]) =>
      of.flatMap(({ trace }) =>
        trace.flatMap(({ name, metadata }) =>
          ((metadata?.landfall.clamped ?? []) as string[]).map((each) => `${name} ${each}`),
        ),
      )
    expect([...new Set(moved(cases.filter(({ skewed }) => !skewed)))]).toEqual(['catalog startedAt'])
    expect(new Set(moved(cases.filter(({ skewed }) => skewed)))).toContain('convert jobStartedAt')
  })

  it('name what they repeat', () => {
    each(({ run, root, seed }) => {
      const original = cases.find((one) => one.seed === seed && one.run.runId === root.annotations?.original)
      expect(root.annotations).toMatchObject({ runId: run.runId, cause: run.cause, replay: true })
      // What was gone when it was looked at has no version.
      expect(original?.run.key).toBe(run.versionId === 'null' && !run.replaces ? undefined : run.key)
    }, cases.filter(isReplay))
  })
})
