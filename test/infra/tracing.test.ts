import { describe, expect, it } from 'vitest'
import { aws, laptop, STAGES } from '../../infra/config.ts'
import { TraceEnv } from '../../services/lambda/env.ts'
import { allowed, resources, runnersOf, templates, text } from './templates.ts'

/** What each function was given, and what of X-Ray it may do. */
function functionsOf(traceSampling: number, config = laptop({ traceSampling })) {
  const template = templates(config).templates.stateless
  const rights = new Map(runnersOf(template).map(({ name, statements }) => [name.toLowerCase(), allowed(statements)]))
  return resources(template, 'AWS::Lambda::Function').map(([id, { Properties }]) => {
    const name = id.replace(/Function[0-9A-F]{8}$/, '').toLowerCase()
    const { Variables } = Properties.Environment as { Variables: Record<string, unknown> }
    return {
      name,
      mode: (Properties.TracingConfig as { Mode: string } | undefined)?.Mode,
      env: Object.fromEntries(Object.entries(Variables).map(([key, value]) => [key, text(value)])),
      xray: rights.get(name)?.filter((right) => right.startsWith('xray:')),
    }
  })
}

describe('each function', () => {
  it.each([
    ['a laptop', functionsOf(1)],
    ['AWS', functionsOf(1, aws)],
  ])('on %s is traced, and may and does send the traces of the runs that end in it', (_, functions) => {
    expect(functions.map(({ name }) => name).sort()).toEqual([...STAGES].sort())
    for (const { mode, env, xray } of functions) {
      expect(mode).toBe('Active')
      expect(xray).toContain('xray:PutTraceSegments *')
      expect(TraceEnv.parse(env).TRACE_SAMPLING).toBe(1)
      expect(env).not.toHaveProperty('POWERTOOLS_TRACE_ENABLED')
    }
  })

  it('sends a share of them where the config says so', () => {
    for (const { env } of functionsOf(0.1)) expect(TraceEnv.parse(env).TRACE_SAMPLING).toBe(0.1)
  })

  it('traces nothing, and may not, where none is wanted', () => {
    for (const { mode, env, xray } of functionsOf(0)) {
      expect(mode).toBeUndefined()
      expect(xray).toEqual([])
      expect(env).toMatchObject({ TRACE_SAMPLING: '0', POWERTOOLS_TRACE_ENABLED: 'false' })
    }
  })
})

it.each([-0.1, 1.5, Number.NaN])('a share of %s is refused before anything is deployed', (traceSampling) => {
  expect(() => functionsOf(traceSampling)).toThrow(
    `traceSampling is ${traceSampling}: expected a share of the runs, 0 to 1.`,
  )
})
