import { describe, expect, it } from 'vitest'
import { sample } from '../../../events/s3-object.ts'
import { followReturned } from '../../../services/operations/follow-returned.ts'
import { findDeadLetters, sendBack } from '../../../services/operations/redrive.ts'
import { worldOfDead } from '../memory/dead-letters.ts'
import { csv } from '../memory/engine.ts'
import { bodyOf } from '../memory/letters.ts'

const quick = { poll: 1 }
/** So long that a test which waited for it would be ended. */
const QUIET = 600_000

describe('runs of returned messages', () => {
  it('that had failed are followed to their new end, not taken for what they were', async () => {
    const { world, landfall, deny, allow, die } = worldOfDead()
    deny()
    world.land('data/sales/a.csv', csv('Chad,1'))
    await die()
    allow()
    const { queues } = await findDeadLetters(landfall)
    await sendBack(landfall, queues, quick)
    const seen: string[] = []
    const followed = followReturned(landfall, queues, {
      ...quick,
      quiet: QUIET,
      onChange: ({ state }) => seen.push(state),
    })
    // As long as nobody has read the message, there is nothing to say.
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(seen).toEqual([])
    await world.untilQuiet()
    expect(await followed).toMatchObject({ runs: [{ key: 'data/sales/a.csv', state: 'delivered' }], nothing: [] })
    expect(seen.at(-1)).toBe('delivered')
  })

  it('that fail again have ended by that', async () => {
    const { world, landfall, deny, die } = worldOfDead()
    deny()
    world.land('data/sales/a.csv', csv('Chad,1'))
    await die()
    const { queues } = await findDeadLetters(landfall)
    const [letter] = queues[0]?.letters ?? []
    const [run] = letter?.runs ?? []
    if (!run) throw new Error('no run')
    const followed = followReturned(landfall, queues, { ...quick, quiet: QUIET })
    await world.books.update(run, { endedAt: '2026-01-02T00:00:00.000Z' })
    expect((await followed).runs).toMatchObject([
      { runId: run.runId, state: 'failed', endedAt: '2026-01-02T00:00:00.000Z' },
    ])
  })

  it('that the message leaves as they were have ended when their stage has read all it had', async () => {
    const { world, landfall, deadLetters } = worldOfDead()
    world.land('data/sales/poison.csv', csv('POISON,1'))
    const [message] = world.messages
    if (!message) throw new Error('no event')
    await world.untilQuiet()
    deadLetters.put('convert-dead', bodyOf(message))
    const { queues } = await findDeadLetters(landfall)
    await sendBack(landfall, queues, quick)
    let done = false
    const followed = followReturned(landfall, queues, { ...quick, quiet: 10 })
    void followed.then(() => {
      done = true
    })
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(done).toBe(false)
    await world.untilQuiet()
    expect((await followed).runs).toMatchObject([{ state: 'failed', problem: { code: 'convert_job_failed' } }])
  })

  it('that never come to be are named, and not waited for', async () => {
    const { landfall, deadLetters } = worldOfDead()
    deadLetters.put('convert-rule', sample('Object Created', 'raw', 'data/sales/x.csv', 'PutObject'))
    deadLetters.put('convert-rule', 'no event')
    const { queues } = await findDeadLetters(landfall)
    const { runs, nothing } = await followReturned(landfall, queues, { ...quick, quiet: 10 })
    expect(runs).toEqual([])
    expect(nothing).toEqual(queues[0]?.letters[0]?.refs)
  })

  it('that are delivered already, and those of several messages, are told once', async () => {
    const { world, landfall, deadLetters } = worldOfDead()
    world.land('data/sales/a.csv', csv('Chad,1'))
    const [message] = world.messages
    if (!message) throw new Error('no event')
    await world.untilQuiet()
    for (const queue of ['convert-dead', 'convert-rule']) deadLetters.put(queue, bodyOf(message))
    const { queues } = await findDeadLetters(landfall)
    expect((await followReturned(landfall, queues, { ...quick, quiet: QUIET })).runs).toMatchObject([
      { key: 'data/sales/a.csv', state: 'delivered' },
    ])
  })

  it('are not waited for after an interrupt', async () => {
    const { landfall, deadLetters } = worldOfDead()
    deadLetters.put('convert-dead', sample('Object Created', 'raw', 'data/sales/x.csv', 'PutObject'))
    const { queues } = await findDeadLetters(landfall)
    const interrupted = new AbortController()
    const followed = followReturned(landfall, queues, { ...quick, quiet: QUIET, signal: interrupted.signal })
    interrupted.abort(new Error('interrupted'))
    await expect(followed).rejects.toThrow()
  })
})
