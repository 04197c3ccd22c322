import { InvalidArgumentError, Option } from 'commander'
import { ENGINES } from '../../infra/engine.ts'
import { parseInstant } from '../operations/runs.ts'

export const JSON_OPTION = ['--json', 'print JSON to standard output; progress stays on standard error'] as const
export const AWS_OPTION = ['--aws', 'work on the stacks deployed to AWS, with your credentials and region'] as const
export const YES_OPTION = ['--yes', 'do it without asking; needed where there is no terminal, and with --json'] as const
export const DATASET_OPTION = [
  '--dataset <name>',
  'dataset of the files, a contract in schemas/datasets',
  'sales',
] as const

export const engineOption = () =>
  new Option('--engine <name>', 'what runs the Glue jobs; spark is what runs on AWS, and needs Java 17 here')
    .choices(ENGINES)
    .default('duckdb')

/** A parser for an instant, now or in the past: how long ago, or when. */
export const instantOption = (text: string): Date => {
  const found = parseInstant(text, new Date())
  if (!found)
    throw new InvalidArgumentError('Expected an age as 2h or 3d, or an ISO 8601 instant, UTC if it names no zone.')
  return found
}

/** A parser for a whole number within bounds. */
export const wholeNumber = (from: number, to: number) => (text: string) => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < from || value > to)
    throw new InvalidArgumentError(`Expected a whole number, ${from} to ${to}.`)
  return value
}
