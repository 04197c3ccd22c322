import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import type { Engine } from '../../infra/engine.ts'
import { raise } from '../../infra/local/raise.ts'
import { clientConfig, type Runtime } from '../../infra/local/runtime.ts'
import type { Run } from '../../services/ledger/run.ts'
import { connect, type Landfall } from '../../services/operations/connect.ts'
import { follow } from '../../services/operations/follow.ts'
import { land } from '../../services/operations/land.ts'
import { query } from '../../services/operations/query.ts'
import { generateSales, type SalesOptions } from '../generator/sales.ts'
import { writeZip } from '../generator/zip.ts'

export const DATABASE = 'deliverydatabase'

/** A deployed chain of a test file's own, and what its tests do with it. */
export type Stack = {
  runtime: Runtime
  landfall: Landfall
  folder: string
  /** Lands files and waits until all of it has ended; zips before their members. */
  landed: (...files: string[]) => Promise<Run[]>
  /** Lands one file and waits until its run has reached a state on its way. */
  reaches: (file: string, state: Run['state']) => Promise<Run>
  zip: (name: string, members: Record<string, string | Buffer>) => Promise<string>
  csv: (name: string, text: string | Buffer) => Promise<string>
  rows: (sql: string) => Promise<(string | null)[][]>
  /** Rows in the table now. */
  count: () => Promise<number>
  close: () => Promise<void>
}

export const sales = async (options: SalesOptions): Promise<string> =>
  (await buffer(generateSales(options).stream)).toString()

/** Starts one. `patience` is how many milliseconds a landing may take. */
export async function stack(
  name: string,
  {
    engine,
    dataset = 'sales',
    datasets,
    env,
    patience = 90_000,
  }: {
    engine?: Engine
    dataset?: string
    datasets?: string
    env?: Record<string, string>
    patience?: number
  } = {},
): Promise<Stack> {
  const runtime = await raise({ name: `test-${name}`, engine, datasets, env, onProgress: () => {} })
  const landfall = await connect(clientConfig(runtime.endpoint))
  const folder = await mkdtemp(join(tmpdir(), `landfall-${name}-`))
  const rows = async (sql: string) => (await query(landfall, sql, DATABASE)).rows
  return {
    runtime,
    landfall,
    folder,
    landed: async (...files) => {
      const landings = []
      for (const file of files) landings.push(await land(landfall, file, dataset))
      return await follow(landfall, landings, { signal: AbortSignal.timeout(patience) })
    },
    reaches: async (file, state) => {
      const landing = await land(landfall, file, dataset)
      const reached = new AbortController()
      let found: Run | undefined
      await follow(landfall, [landing], {
        onChange: (run) => {
          if (run.state !== state) return
          found = run
          reached.abort()
        },
        signal: AbortSignal.any([reached.signal, AbortSignal.timeout(30_000)]),
      }).catch((error: unknown) => {
        if (!found) throw error
      })
      return found ?? expect.fail(`${file} ended without being ${state}`)
    },
    zip: async (file, members) => {
      const path = join(folder, file)
      await writeZip(
        path,
        Object.entries(members).map(([member, text]) => ({ name: member, stream: Readable.from([Buffer.from(text)]) })),
      )
      return path
    },
    csv: async (file, text) => {
      const path = join(folder, file)
      await writeFile(path, text)
      return path
    },
    rows,
    count: async () => Number((await rows('select count(*) from data_deliveryzone'))[0]?.[0]),
    close: async () => {
      landfall.close()
      await runtime.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

type Zone = 'raw' | 'delivery' | 'quarantine'

const bucketOf = ({ landfall }: Stack, zone: Zone) =>
  ({ raw: landfall.rawBucket, delivery: landfall.deliveryBucket, quarantine: landfall.quarantineBucket })[zone]

export async function listKeys(chain: Stack, zone: Zone, prefix: string): Promise<string[]> {
  const { Contents = [] } = await chain.landfall.s3.send(
    new ListObjectsV2Command({ Bucket: bucketOf(chain, zone), Prefix: prefix }),
  )
  return Contents.map(({ Key = '' }) => Key)
}

export async function text(chain: Stack, zone: Zone, key: string | undefined): Promise<string> {
  const { Body } = await chain.landfall.s3.send(new GetObjectCommand({ Bucket: bucketOf(chain, zone), Key: key }))
  return (await Body?.transformToString()) ?? ''
}
