import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { BatchWriteCommand, type BatchWriteCommandOutput, ScanCommand } from '@aws-sdk/lib-dynamodb'
import pMap from 'p-map'
import { clientConfig, type Runtime } from '../../infra/local/runtime.ts'
import { documentClient } from '../../services/lambda/sdk.ts'
import { runIdOf, sourceIdOf } from '../../services/ledger/ids.ts'
import { runItem } from '../../services/ledger/ledger.ts'
import { idKey, type Run, sourcePk } from '../../services/ledger/run.ts'
import type { Item } from '../../services/ledger/table.ts'

/** Writes of one call, as many as DynamoDB takes. */
const CHUNK = 25
const DAY_MS = 86_400_000

/** The ledger's table, for what a benchmark puts there and takes out again. */
export class Past {
  readonly #client: DynamoDBClient
  readonly #table: string
  /** What one delivered run has left beside its source's runs: the head, the lists of its objects, who holds its bytes. */
  readonly #like: { run: Run; items: Item[] }
  #written: Item[] = []

  private constructor(client: DynamoDBClient, table: string, like: { run: Run; items: Item[] }) {
    this.#client = client
    this.#table = table
    this.#like = like
  }

  /** @param run a delivered one: what is written looks as it does */
  static async like({ endpoint }: Pick<Runtime, 'endpoint'>, table: string, run: Run): Promise<Past> {
    const client = new DynamoDBClient(clientConfig(endpoint))
    const { Items = [] } = await documentClient(client).send(
      new ScanCommand({ TableName: table, ConsistentRead: true }),
    )
    const isLeft = ({ pk, sk, holders }: Item) =>
      (pk === sourcePk(run) && !sk.startsWith('RUN#')) ||
      (pk.startsWith('CONTENT#') && JSON.stringify(holders).includes(run.sourceId))
    const items = (Items as Item[]).filter(isLeft)
    if (items.length < 4) throw new Error(`${run.key} has left ${items.length} items beside its runs, not 4 or more.`)
    return new Past(client, table, { run, items })
  }

  /**
   * Writes ended runs of the dataset, with all that a run leaves: `sources` files have landed again and again. Of those that
   * are `known` only runs are added, for they have a head already.
   */
  async write(runs: number, sources: number, known: { key: string; runs: number }[]): Promise<number> {
    const items: Item[] = []
    const past = (key: string, i: number, head: boolean) => {
      const { run, items: left } = this.#like
      const sourceId = sourceIdOf(key)
      const versionId = `past-${i}`
      const runId = runIdOf(key, versionId, 'live')
      const registeredAt = new Date(Date.parse(run.registeredAt) - 30 * DAY_MS + i * 1_000).toISOString()
      const mine: Run = { ...run, key, sourceId, versionId, runId, seq: -i, registeredAt, landedAt: registeredAt }
      items.push(runItem(mine), { ...idKey(runId), dataset: run.dataset, sourceId })
      if (!head) return
      for (const item of left)
        if (item.pk === sourcePk(run))
          items.push({
            ...item,
            pk: sourcePk(mine),
            sk: item.sk.replace(/#[0-9a-f]{20}#/, `#${runId}#`),
            key,
            sourceId,
            deliveryRun: runId,
          })
        else if (item.pk.startsWith('CONTENT#')) items.push({ ...item, pk: `${item.pk}-${i}` })
    }
    let made = 0
    for (const { key, runs: many } of known) for (let i = 0; i < many; i++) past(key, ++made, false)
    for (let i = 0; made < runs; i++) past(`data/sales/past-${i % sources}.csv`, ++made, i < sources)
    await this.#batches(items.map((Item) => ({ PutRequest: { Item } })))
    this.#written = items
    return items.length
  }

  async remove(): Promise<void> {
    const { length } = this.#written
    await this.#batches(this.#written.map(({ pk, sk }) => ({ DeleteRequest: { Key: { pk, sk } } })))
    if (length === 0) throw new Error('Nothing was written that could be removed.')
    this.#written = []
  }

  close(): void {
    this.#client.destroy()
  }

  async #batches(writes: object[]): Promise<void> {
    const client = documentClient(this.#client)
    const chunks = Array.from({ length: Math.ceil(writes.length / CHUNK) }, (_, i) =>
      writes.slice(i * CHUNK, (i + 1) * CHUNK),
    )
    await pMap(
      chunks,
      async (chunk) => {
        let left: BatchWriteCommand['input']['RequestItems'] = { [this.#table]: chunk }
        while (Object.keys(left ?? {}).length > 0) {
          const { UnprocessedItems }: BatchWriteCommandOutput = await client.send(
            new BatchWriteCommand({ RequestItems: left }),
          )
          left = UnprocessedItems
        }
      },
      { concurrency: 4 },
    )
  }
}
