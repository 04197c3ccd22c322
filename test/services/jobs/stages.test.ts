import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { convertStage } from '../../../services/convert/stage.ts'
import { partitionStage } from '../../../services/partition/stage.ts'
import { contract } from '../memory/world.ts'

const env = {
  LEDGER_TABLE: 'ledger',
  RAW_BUCKET: 'raw',
  STAGING_BUCKET: 'staging',
  PROCESSING_BUCKET: 'processing',
  DELIVERY_BUCKET: 'delivery',
  QUARANTINE_BUCKET: 'quarantine',
  JOB_NAME: 'job',
}

let root: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'landfall-stages-'))
  mkdirSync(join(root, 'datasets'))
  writeFileSync(join(root, 'datasets', 'sales.json'), JSON.stringify(contract))
  vi.stubEnv('LAMBDA_TASK_ROOT', root)
  vi.stubEnv('AWS_REGION', 'eu-central-1')
})
afterAll(() => {
  vi.unstubAllEnvs()
  rmSync(root, { recursive: true, force: true })
})

describe.each([
  ['convert', () => convertStage(env).stage],
  ['partition', () => partitionStage(env).stage],
] as const)('%s as a function wires it', (name, wired) => {
  it('has the plan and the size of the contract that it was deployed with', () => {
    expect(wired()).toMatchObject({ stage: name, jobName: 'job' })
    expect(wired().plan('sales')).toMatchObject({ dataset: 'sales', partitionBy: 'COUNTRY' })
    expect(wired().size('sales')).toEqual({ workers: { type: 'G.2X', most: 4 }, timeoutMinutes: 90 })
  })

  it('knows no dataset without a contract', () => {
    expect(() => wired().size('unknown')).toThrow('No contract names the dataset "unknown".')
  })
})
