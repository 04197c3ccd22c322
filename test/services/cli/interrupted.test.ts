import { describe, expect, it } from 'vitest'
import { home, landfall, leavesNothing } from './at-home.ts'

/** What the commands say as they get on, in this order. */
const STEPS = ['Synthesizing the CDK app', 'Creating LandfallStateless']
const START_STEPS = [...STEPS, 'Ready at', 'landing/sales/', 'waits for a job']

describe('Ctrl-C', () => {
  it.each(START_STEPS)(
    'in start, at "%s", ends it as interrupted and leaves nothing',
    async (step) => {
      const place = await home('there')
      const start = landfall(place, ['start'])
      await start.says(step)
      start.child.kill('SIGINT')
      const { code, err } = await start.ended
      expect(err).toContain('Interrupted: cleaning up')
      expect(err).not.toContain('error:')
      expect(code).toBe(130)
      await leavesNothing(place)
    },
    120_000,
  )

  it.each(STEPS)(
    'in up, at "%s", ends it as interrupted and leaves nothing',
    async (step) => {
      const place = await home('there')
      const up = landfall(place, ['up'])
      await up.says(step)
      up.child.kill('SIGINT')
      expect((await up.ended).code).toBe(130)
      await leavesNothing(place)
    },
    120_000,
  )

  it.each(['Setting up Python', 'Installing the emulator'])(
    'at "%s" ends pip with all that it started, and leaves nothing half-made',
    async (step) => {
      const place = await home('missing')
      const up = landfall(place, ['up'])
      await up.says(step)
      up.child.kill('SIGINT')
      expect((await up.ended).code).toBe(130)
      await leavesNothing(place)
    },
    120_000,
  )
})

describe('kill -9', () => {
  it.each(STEPS)(
    'of up, at "%s", takes the runtime with it',
    async (step) => {
      const place = await home('there')
      const up = landfall(place, ['up'])
      await up.says(step)
      up.child.kill('SIGKILL')
      await up.ended
      // What a dead process cannot take away, its lock, the next one does.
      const next = landfall(place, ['up'])
      await next.says('Synthesizing')
      next.child.kill('SIGINT')
      expect((await next.ended).code).toBe(130)
      await leavesNothing(place)
    },
    120_000,
  )
})
