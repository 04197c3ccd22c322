import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { XRayClient } from '@aws-sdk/client-xray'
import { describe, expect, it } from 'vitest'
import { noteEnd, tellEnded } from '../../../services/lambda/ended.ts'
import type { Run } from '../../../services/ledger/run.ts'
import type { Segment } from '../../../services/trace/segments.ts'
import {
  IMPATIENT,
  MOST_DOCUMENTS,
  type Send,
  sendTo,
  type TraceDeps,
  traceTeller,
} from '../../../services/trace/send.ts'
import { csv } from '../memory/engine.ts'
import { World } from '../memory/world.ts'
import { zipOf } from '../unzip/zips.ts'

/** A zip of many members, all of it ended. */
async function ended(members: number): Promise<World> {
  const world = new World()
  const texts = Array.from({ length: members }, (_, i) => [`${i}.csv`, csv(`Chad,${i}`)])
  world.land('landing/sales/x.zip', await zipOf(Object.fromEntries(texts)))
  await world.untilQuiet()
  return world
}

function teller(world: World, more: Partial<TraceDeps> = {}) {
  const calls: Segment[][] = []
  const warned: unknown[] = []
  const read: string[] = []
  const run: TraceDeps['ledger']['run'] = (ref) => {
    read.push(ref.runId)
    return world.books.run(ref)
  }
  const tell = traceTeller({
    ledger: { run, now: world.clock.now },
    send: async (segments) => {
      calls.push(segments)
      return []
    },
    share: 1,
    warn: (message, about) => void warned.push({ message, ...about }),
    ...more,
  })
  return { tell, calls, warned, read }
}

describe('the traces of runs that have ended', () => {
  it('are sent whole, in calls of at most 50 segments, and the zip of many members is read once', async () => {
    const world = await ended(40)
    const { tell, calls, read } = teller(world)
    await tell(world.runs())
    expect(calls.map(({ length }) => length)).toEqual([50, 50, 50, 50, 2])
    expect(Math.max(...calls.map(({ length }) => length))).toBeLessThanOrEqual(MOST_DOCUMENTS)
    const roots = calls.flat().filter(({ parent_id }) => parent_id === undefined)
    expect(new Set(roots.map(({ trace_id }) => trace_id)).size).toBe(41)
    expect(calls.flat().filter(({ name }) => name === 'unzip')).toHaveLength(41)
    expect(read).toHaveLength(1)
  })

  it('are those of the sampled runs, and of none older than 30 days', async () => {
    const world = await ended(3)
    const none = teller(world, { share: 0 })
    await none.tell(world.runs())
    world.clock.advance(30 * 24 * 3_600_000)
    const late = teller(world)
    await late.tell(world.runs())
    expect([...none.calls, ...none.read, ...late.calls, ...late.read]).toEqual([])
  })

  it('that X-Ray does not take are logged', async () => {
    const world = await ended(1)
    const refused = { Id: 'x', ErrorCode: 'InvalidTime', Message: 'No.' }
    const { tell, warned } = teller(world, { send: async () => [refused] })
    await tell(world.runs())
    expect(warned).toEqual([{ message: 'X-Ray did not take all segments', segments: 7, refused: [refused] }])
  })

  it('that are lost fail nothing', async () => {
    const world = await ended(1)
    const { tell } = teller(world, { send: () => Promise.reject(new Error('no X-Ray')) })
    const told: Run[] = []
    for (const run of world.runs()) noteEnd(run)
    await tellEnded({ trace: tell, after: async (runs) => void told.push(...runs) })
    expect(told).toHaveLength(2)
  })
})

it('an X-Ray that does not answer holds nobody for more than some seconds', async () => {
  const asked: string[] = []
  const server = createServer(({ url = '' }) => void asked.push(url))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const credentials = { accessKeyId: 'x', secretAccessKey: 'x' }
  const send: Send = sendTo(new XRayClient({ ...IMPATIENT, endpoint, region: 'us-east-1', credentials }))
  const began = Date.now()
  await expect(send([])).rejects.toThrow(/2000 ms/)
  expect(Date.now() - began).toBeLessThan(10_000)
  expect(asked).toEqual(['/TraceSegments', '/TraceSegments'])
  server.closeAllConnections()
  server.close()
})
