import { type DynamoDBDocumentClient, QueryCommand } from '@aws-sdk/lib-dynamodb'
import type { Run } from './run.ts'
import type { Item } from './table.ts'

/** Runs of one query; a run with many examples or members is some ten KB. */
const PAGE = 100

/** The place of a run among all runs, by time. No two are the same. */
export const listedAt = ({ registeredAt, runId }: Pick<Run, 'registeredAt' | 'runId'>): string =>
  `${registeredAt}#${runId}`

/** Both compare as text with `listedAt`: an instant, or the place of a run. */
export type Range = { from?: string; before?: string }

/**
 * Runs by time, for people. It lags behind the ledger, so nothing is claimed by it, and nothing is decided by it but whether
 * an expected file has come, moments after its grace is over.
 */
export interface Listing {
  /**
   * Newest first, from `before` (without it) back to `from` (with it). Reads no more than is taken, by pages. Of a zip with very
   * many members without these: the ledger has them.
   */
  newest(range?: Range): AsyncIterable<Run>
}

/** Attributes that are the table's, not the run's. */
export function runOf({ pk, sk, listing, listedAt, lines, ...run }: Item): Run {
  return run as unknown as Run
}

/** A query of the ledger's index by time, never a scan. */
export class DynamoListing implements Listing {
  readonly #client: DynamoDBDocumentClient
  readonly #table: string

  constructor(client: DynamoDBDocumentClient, table: string) {
    this.#client = client
    this.#table = table
  }

  async *newest({ from = '0', before = '~' }: Range = {}): AsyncGenerator<Run> {
    // DynamoDB refuses a range whose ends are the wrong way round.
    if (from >= before) return
    let start: Record<string, unknown> | undefined
    do {
      const page = await this.#client.send(
        new QueryCommand({
          TableName: this.#table,
          IndexName: 'byTime',
          KeyConditionExpression: 'listing = :run AND listedAt BETWEEN :from AND :before',
          ExpressionAttributeValues: { ':run': 'run', ':from': from, ':before': before },
          ScanIndexForward: false,
          Limit: PAGE,
          ExclusiveStartKey: start,
        }),
      )
      for (const item of (page.Items ?? []) as Item[]) if (String(item.listedAt) < before) yield runOf(item)
      start = page.LastEvaluatedKey
    } while (start)
  }
}
