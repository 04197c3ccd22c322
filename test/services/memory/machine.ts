import type { RerunFilter } from '../../../services/ledger/reruns.ts'
import { rerunState } from '../../../services/ledger/reruns.ts'
import type { Execution, ExecutionDetail, Machine } from '../../../services/operations/machine.ts'
import type { RerunInput } from '../../../services/rerun/input.ts'
import type { World } from './world.ts'

type Started = { name: string; input: RerunInput; startedAt: string; refused?: boolean; stopped?: boolean }

/** The rerun's machine over a world: it lists and asks at once, and has ended when the ledger says so. */
export class MemoryMachine implements Machine {
  readonly #world: World
  readonly started: Started[] = []

  constructor(world: World) {
    this.#world = world
  }

  async start(name: string, input: RerunInput): Promise<string> {
    const { prefix, only, since, dryRun } = input
    const filter: RerunFilter & { dryRun?: boolean } = { only, since, dryRun }
    const startedAt = this.#world.books.instant()
    this.started.push({ name, input, startedAt, refused: !(await this.#world.rerun(name, filter, prefix)) })
    return name
  }

  /** As a person does in the console. */
  stop(name: string): void {
    const started = this.started.find((each) => each.name === name)
    if (started) started.stopped = true
  }

  async look(arn: string): Promise<ExecutionDetail | undefined> {
    const started = this.started.find(({ name }) => name === arn)
    if (!started) return undefined
    const { name, input, startedAt, refused, stopped } = started
    const base = { name, arn, startedAt, input }
    if (refused) {
      const cause = `A rerun of ${input.dataset} is at work, and a dataset has one at a time.`
      return { ...base, state: 'failed', error: 'RerunAtWork', cause }
    }
    if (stopped) return { ...base, state: 'stopped' }
    const end = await rerunState(this.#world.books, `rerun-${name}`)
    if (!end) return { ...base, state: 'running' }
    if (end.failures === 0) return { ...base, state: 'succeeded' }
    return { ...base, state: 'failed', error: 'SourcesFailed', cause: end.words }
  }

  async *newest(): AsyncGenerator<Execution> {
    for (const { name } of [...this.started].reverse()) {
      const found = await this.look(name)
      if (found) yield found
    }
  }
}
