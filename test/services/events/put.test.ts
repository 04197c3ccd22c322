import type { PutEventsCommand } from '@aws-sdk/client-eventbridge'
import { describe, expect, it } from 'vitest'
import { RunEnded } from '../../../events/run-ended.ts'
import { putEvents } from '../../../services/events/put.ts'
import { detailOf, eventsTeller } from '../../../services/events/teller.ts'
import { csv } from '../memory/engine.ts'
import { World } from '../memory/world.ts'

/** Takes all but the calls' entries whose detail is listed, each as often as it is. */
function bus(...refused: string[]) {
  const calls: string[][] = []
  const send = async (command: PutEventsCommand) => {
    const entries = command.input.Entries ?? []
    calls.push(entries.map(({ Detail = '' }) => JSON.parse(Detail).n))
    return {
      Entries: entries.map(({ Detail = '' }) => {
        const at = refused.indexOf(String(JSON.parse(Detail).n))
        if (at < 0) return { EventId: 'x' }
        refused.splice(at, 1)
        return { ErrorCode: 'ThrottlingException', ErrorMessage: 'Rate exceeded' }
      }),
    }
  }
  return { calls, put: putEvents({ send } as unknown as Parameters<typeof putEvents>[0]) }
}
const events = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ type: 'landfall.run' as const, detail: { n } }))

describe('putting events', () => {
  it('goes in calls of ten', async () => {
    const { put, calls } = bus()
    await put(events(23))
    expect(calls.map(({ length }) => length)).toEqual([10, 10, 3])
  })

  it('puts again, once, what was not taken, and only that', async () => {
    const { put, calls } = bus('2', '11')
    await put(events(12))
    expect(calls.slice(2)).toEqual([[2, 11]])
  })

  it('says how many were not taken, and why', async () => {
    const { put, calls } = bus('2', '2', '3')
    await expect(put(events(4))).rejects.toThrow(
      'EventBridge did not take 1 of 4 events, the first for ThrottlingException: Rate exceeded',
    )
    expect(calls).toHaveLength(2)
  })
})

describe('landfall.run', () => {
  it('tells of each run that ended as the schema says, with its rows counted and none of them quoted', async () => {
    const world = new World()
    world.land('data/sales/some.csv', csv('Chad,1', 'Chad,2', 'Chad,3', 'Chad,4', 'BAD,5'))
    world.land('data/sales/wrong.csv', 'SECRET\nx')
    await world.untilQuiet()
    const put: { type: string; detail: object }[] = []
    await eventsTeller(async (events) => void put.push(...events))(world.runs())
    const told = put.map(
      ({ type, detail }) => RunEnded.schema.parse({ source: 'landfall', 'detail-type': type, detail }).detail,
    )
    expect(told).toMatchObject([
      { key: 'data/sales/some.csv', state: 'delivered', rowsIn: 5, accepted: 4, rejected: 1, partitions: 1 },
      { key: 'data/sales/wrong.csv', state: 'refused', problem: 'header_mismatch' },
    ])
    expect(world.runs()[1]?.problem?.message).toContain('SECRET')
    expect(JSON.stringify(put)).not.toMatch(/SECRET|BAD/)
  })

  it('is not told of a run that is open', async () => {
    const world = new World()
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.pump()
    expect(world.runs().map(detailOf)).toEqual([undefined])
  })

  it('has a sample that its schema takes', () => {
    expect(RunEnded.schema.parse(RunEnded.sample()).detail.accepted).toBe(4998)
  })
})
