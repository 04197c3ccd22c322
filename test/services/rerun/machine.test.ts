import validate from 'asl-validator'
import { describe, expect, it } from 'vitest'
import { laptop } from '../../../infra/config.ts'
import { resources, templates, text } from '../../infra/templates.ts'

type State = {
  Type: string
  Resource?: string
  Next?: string
  End?: boolean
  Default?: string
  Choices?: { Next: string }[]
  Catch?: { Next: string }[]
  Retry?: { ErrorEquals: string[] }[]
  ItemProcessor?: Machine
}
type Machine = { StartAt: string; States: Record<string, State>; QueryLanguage?: string; TimeoutSeconds?: number }

/** The definition as CloudFormation hands it to Step Functions. */
function deployed(): Machine {
  const [machine] = resources(templates(laptop()).templates.stateless, 'AWS::StepFunctions::StateMachine')
  const { DefinitionString, DefinitionSubstitutions } = machine?.[1].Properties ?? expect.fail('no machine')
  let definition = String(DefinitionString)
  for (const [name, value] of Object.entries(DefinitionSubstitutions as object))
    definition = definition.replaceAll(`\${${name}}`, text(value))
  return JSON.parse(definition)
}

/** The machine and, within it, what its map runs for each key. */
const graphs = (machine: Machine): Machine[] => [
  machine,
  ...Object.values(machine.States).flatMap(({ ItemProcessor }) => (ItemProcessor ? graphs(ItemProcessor) : [])),
]
const nextOf = ({ Next, Default, Choices = [], Catch = [] }: State) =>
  [Next, Default, ...[...Choices, ...Catch].map((each) => each.Next)].filter((name) => name !== undefined)
const machine = deployed()
const states = graphs(machine).flatMap(({ States }) => Object.entries(States))

describe('the machine', () => {
  it('is valid Amazon States Language, its expressions included', () => {
    const { isValid, errorsText } = validate(deployed())
    expect(isValid ? '' : errorsText('\n')).toBe('')
  })

  it('would not be with an expression that does not parse, or a state that is not there', () => {
    const broken = (before: string, after: string) => {
      const { isValid, errorsText } = validate(JSON.parse(JSON.stringify(deployed()).replace(before, after)))
      return isValid ? '' : errorsText('\n')
    }
    expect(broken('{% $states.input.prefix %}', '{% ($states.input.prefix %}')).toContain('/States/Sources')
    expect(broken('"Next":"Look"', '"Next":"Elsewhere"')).toContain('Elsewhere')
  })

  it('has ten states at most, those of its map included, and no function of ours', () => {
    expect(states.length).toBeLessThanOrEqual(10)
    const called = states.flatMap(([, { Resource }]) => Resource ?? [])
    expect(new Set(called)).toEqual(
      new Set(['dynamodb:putItem', 'dynamodb:updateItem', 'dynamodb:getItem', 'events:putEvents'].map(optimized)),
    )
    expect(JSON.stringify(machine)).not.toMatch(/lambda/i)
  })

  it('reaches every state, and goes nowhere else', () => {
    for (const { StartAt, States } of graphs(machine)) {
      const reached = new Set([StartAt])
      // A set grows while it is walked.
      for (const name of reached) for (const next of nextOf(States[name] ?? expect.fail(name))) reached.add(next)
      expect([...reached].sort()).toEqual(Object.keys(States).sort())
    }
  })

  it('tries each task again, but not an expression or a condition that fails', () => {
    for (const [name, { Type, Retry }] of states) {
      if (Type !== 'Task') continue
      expect(Retry?.at(-1)?.ErrorEquals, name).toEqual(['States.TaskFailed', 'States.Timeout'])
      expect(Retry?.[0], name).toMatchObject({ MaxAttempts: 0 })
    }
  })

  it('has an end within a day, as the row of a rerun that was stopped is free after one', () => {
    expect(machine.TimeoutSeconds).toBe(24 * 3600)
    expect(JSON.stringify(machine.States.Begin)).toContain(`$millis() - ${24 * 3600 * 1000}`)
  })
})

function optimized(action: string) {
  return `arn:aws:states:::${action}`
}
