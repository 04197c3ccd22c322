import { setTimeout as sleep } from 'node:timers/promises'
import {
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  StartQueryExecutionCommand,
  StopQueryExecutionCommand,
} from '@aws-sdk/client-athena'
import type { Landfall } from './connect.ts'

export type Answer = {
  columns: { name: string; type: string }[]
  /** As Athena prints values; null where there is none. */
  rows: (string | null)[][]
  milliseconds: number
}

/** The query's fault, in Athena's words. */
export class QueryFailed extends Error {}

const POLL_MS = 50

/** Sends SQL through Athena's API, waits, and reads all of its answer. @throws QueryFailed */
export async function query(
  { athena, workGroup }: Landfall,
  sql: string,
  database: string,
  signal?: AbortSignal,
): Promise<Answer> {
  const started = performance.now()
  const { QueryExecutionId } = await athena.send(
    new StartQueryExecutionCommand({
      QueryString: sql,
      WorkGroup: workGroup,
      QueryExecutionContext: { Database: database },
    }),
  )
  const stop = () => void athena.send(new StopQueryExecutionCommand({ QueryExecutionId })).catch(() => {})
  signal?.addEventListener('abort', stop, { once: true })
  for (;;) {
    const { QueryExecution } = await athena.send(new GetQueryExecutionCommand({ QueryExecutionId }))
    const { State, StateChangeReason } = QueryExecution?.Status ?? {}
    if (State === 'SUCCEEDED') break
    if (State === 'FAILED' || State === 'CANCELLED')
      throw new QueryFailed(StateChangeReason ?? `The query ended as ${State}.`)
    await sleep(POLL_MS, undefined, { signal })
  }
  const answer: Answer = { columns: [], rows: [], milliseconds: 0 }
  let NextToken: string | undefined
  do {
    const page = await athena.send(new GetQueryResultsCommand({ QueryExecutionId, NextToken }))
    if (answer.columns.length === 0)
      answer.columns = (page.ResultSet?.ResultSetMetadata?.ColumnInfo ?? []).map(({ Name = '', Type = '' }) => ({
        name: Name,
        type: Type,
      }))
    // Athena repeats the column names as the first row of the first page.
    const rows = (page.ResultSet?.Rows ?? []).slice(NextToken ? 0 : 1)
    answer.rows.push(...rows.map(({ Data = [] }) => Data.map(({ VarCharValue }) => VarCharValue ?? null)))
    NextToken = page.NextToken
  } while (NextToken)
  signal?.removeEventListener('abort', stop)
  answer.milliseconds = Math.round(performance.now() - started)
  return answer
}
