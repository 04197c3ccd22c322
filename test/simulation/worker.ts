import { mutate } from './mutate.ts'

/** A process of its own, as a mutation holds for all that a process loads. Asked for seeds, it answers with what they came to. */
const off = process.argv.slice(2)
if (off.length > 0) mutate(off)
const { Schedule } = await import('./schedule.ts')

export type Asked = { from: number; to: number }
export type Answer = {
  calls: number
  steps: number
  struck: [string, number][]
  broken: { seed: number; wrong: string }[]
  played: number
}

process.on('message', async ({ from, to }: Asked) => {
  const answer: Answer = { calls: 0, steps: 0, struck: [], broken: [], played: 0 }
  const struck = new Map<string, number>()
  for (let seed = from; seed < to; seed++) {
    const { calls, steps, faults, wrong } = await new Schedule(seed).play()
    answer.played++
    answer.calls += calls
    answer.steps += steps
    for (const [fault, times] of faults) struck.set(fault, (struck.get(fault) ?? 0) + times)
    if (wrong !== undefined) {
      answer.broken.push({ seed, wrong })
      break
    }
  }
  process.send?.({ ...answer, struck: [...struck] })
})
process.on('disconnect', () => process.exit())
