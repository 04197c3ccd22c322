import {
  DescribeExecutionCommand,
  ExecutionDoesNotExist,
  ListExecutionsCommand,
  type SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn'
import type { RerunInput } from '../rerun/input.ts'

/** `stopped` by a person, `timed_out` after its day. */
export type ExecutionState = 'running' | 'succeeded' | 'failed' | 'timed_out' | 'stopped'

/** One execution of the rerun's machine. */
export type Execution = {
  name: string
  arn: string
  state: ExecutionState
  startedAt: string
  endedAt?: string
}

/** What only a look at one execution says. */
export type ExecutionDetail = Execution & {
  /** As it was started, by whoever: not checked. */
  input?: unknown
  error?: string
  cause?: string
}

/** The rerun's machine, as people's commands start it and ask it. */
export interface Machine {
  /** @returns the execution's ARN */
  start(name: string, input: RerunInput): Promise<string>
  /** Undefined for one that was forgotten, 90 days after its end. */
  look(arn: string): Promise<ExecutionDetail | undefined>
  /** Newest first; a started one may be missing for moments. */
  newest(): AsyncIterable<Execution>
}

const STATES: Record<string, ExecutionState> = {
  RUNNING: 'running',
  SUCCEEDED: 'succeeded',
  FAILED: 'failed',
  TIMED_OUT: 'timed_out',
  ABORTED: 'stopped',
  PENDING_REDRIVE: 'running',
}

type Described = { name?: string; executionArn?: string; status?: string; startDate?: Date; stopDate?: Date }

const executionOf = ({ name = '', executionArn = '', status = '', startDate, stopDate }: Described): Execution => ({
  name,
  arn: executionArn,
  state: STATES[status] ?? 'running',
  startedAt: startDate?.toISOString() ?? '',
  ...(stopDate && { endedAt: stopDate.toISOString() }),
})

export class SfnMachine implements Machine {
  readonly #client: SFNClient
  readonly #arn: string

  constructor(client: SFNClient, arn: string) {
    this.#client = client
    this.#arn = arn
  }

  async start(name: string, input: RerunInput): Promise<string> {
    const { executionArn = '' } = await this.#client.send(
      new StartExecutionCommand({ stateMachineArn: this.#arn, name, input: JSON.stringify(input) }),
    )
    return executionArn
  }

  async look(arn: string): Promise<ExecutionDetail | undefined> {
    try {
      const found = await this.#client.send(new DescribeExecutionCommand({ executionArn: arn }))
      const { input, error, cause } = found
      return {
        ...executionOf(found),
        ...(input !== undefined && { input: parsed(input) }),
        ...(error !== undefined && { error }),
        ...(cause !== undefined && { cause }),
      }
    } catch (error) {
      if (error instanceof ExecutionDoesNotExist) return undefined
      throw error
    }
  }

  async *newest(): AsyncGenerator<Execution> {
    let nextToken: string | undefined
    do {
      const page = await this.#client.send(
        new ListExecutionsCommand({ stateMachineArn: this.#arn, maxResults: 100, nextToken }),
      )
      for (const execution of page.executions ?? []) yield executionOf(execution)
      nextToken = page.nextToken
    } while (nextToken)
  }
}

function parsed(input: string): unknown {
  try {
    return JSON.parse(input)
  } catch {
    return input
  }
}
