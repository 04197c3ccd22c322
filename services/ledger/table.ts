import {
  DeleteCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  type GetCommandOutput,
  PutCommand,
  QueryCommand,
  TransactWriteCommand,
  type TransactWriteCommandInput,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import { TryAgain } from '../lambda/errors.ts'

export type ItemKey = { pk: string; sk: string }
export type Item = ItemKey & Record<string, unknown>

/** All must hold. `absent` and `present` speak of the attribute; `equal` also fails where it is absent. */
export type Condition =
  | { attribute: string; is: 'absent' | 'present' }
  | { attribute: string; is: 'equal' | 'less'; to: string | number }
  /** The one disjunction that a lease needs: no one holds it, or its time is over. */
  | { attribute: string; is: 'absentOrLess'; to: string | number }

export type Write =
  | { put: Item; when?: Condition[] }
  | {
      update: ItemKey
      set?: Record<string, unknown>
      add?: Record<string, number>
      remove?: string[]
      when?: Condition[]
    }
  | { delete: ItemKey; when?: Condition[] }

/**
 * What the ledger needs of DynamoDB: reads are consistent, writes are all-or-none and conditional.
 * The only two implementations are DynamoDB and the one the tests and the simulation run on.
 */
export interface Table {
  get(key: ItemKey): Promise<Item | undefined>
  /** Items of a partition whose sort key starts with `prefix`, ascending. */
  query(pk: string, prefix: string, limit?: number): Promise<Item[]>
  /** False, and nothing written, when a condition does not hold. */
  write(writes: Write[]): Promise<boolean>
}

type TransactItem = NonNullable<TransactWriteCommandInput['TransactItems']>[number]

function clauseOf(is: Condition['is'], name: string, value: string): string {
  switch (is) {
    case 'absent':
      return `attribute_not_exists(${name})`
    case 'present':
      return `attribute_exists(${name})`
    case 'equal':
      return `${name} = ${value}`
    case 'less':
      return `${name} < ${value}`
    case 'absentOrLess':
      return `(attribute_not_exists(${name}) OR ${name} < ${value})`
  }
}

function expression(conditions: Condition[], names: Record<string, string>, values: Record<string, unknown>) {
  const clauses = conditions.map((condition, i) => {
    names[`#c${i}`] = condition.attribute
    if ('to' in condition) values[`:c${i}`] = condition.to
    return clauseOf(condition.is, `#c${i}`, `:c${i}`)
  })
  return clauses.join(' AND ')
}

const orNothing = <T extends object>(record: T) => (Object.keys(record).length > 0 ? record : undefined)

/** One write as DynamoDB says it. */
export function transactItem(table: string, write: Write): TransactItem {
  const names: Record<string, string> = {}
  const values: Record<string, unknown> = {}
  const condition = write.when?.length ? expression(write.when, names, values) : undefined
  const common = () => ({
    TableName: table,
    ConditionExpression: condition,
    ExpressionAttributeNames: orNothing(names),
    ExpressionAttributeValues: orNothing(values),
  })
  if ('put' in write) return { Put: { ...common(), Item: write.put } }
  if ('delete' in write) return { Delete: { ...common(), Key: write.delete } }
  const clauses: string[] = []
  const clause = (word: string, entries: [string, unknown][], joint: string) => {
    if (entries.length === 0) return
    const parts = entries.map(([attribute, value], i) => {
      const tag = `${word[0]}${i}`
      names[`#${tag}`] = attribute
      values[`:${tag}`] = value
      return `#${tag}${joint}:${tag}`
    })
    clauses.push(`${word} ${parts.join(', ')}`)
  }
  clause(
    'SET',
    Object.entries(write.set ?? {}).filter(([, value]) => value !== undefined),
    ' = ',
  )
  clause('ADD', Object.entries(write.add ?? {}), ' ')
  if (write.remove?.length) {
    write.remove.forEach((attribute, i) => {
      names[`#r${i}`] = attribute
    })
    clauses.push(`REMOVE ${write.remove.map((_, i) => `#r${i}`).join(', ')}`)
  }
  return { Update: { ...common(), Key: write.update, UpdateExpression: clauses.join(' ') } }
}

export class DynamoTable implements Table {
  readonly #client: DynamoDBDocumentClient
  readonly #name: string

  constructor(client: DynamoDBDocumentClient, name: string) {
    this.#client = client
    this.#name = name
  }

  async get(key: ItemKey): Promise<Item | undefined> {
    const found: GetCommandOutput = await this.#client.send(
      new GetCommand({ TableName: this.#name, Key: { pk: key.pk, sk: key.sk }, ConsistentRead: true }),
    )
    return found.Item as Item | undefined
  }

  async query(pk: string, prefix: string, limit = Number.POSITIVE_INFINITY): Promise<Item[]> {
    const items: Item[] = []
    let start: Record<string, unknown> | undefined
    do {
      const page = await this.#client.send(
        new QueryCommand({
          TableName: this.#name,
          KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
          ExpressionAttributeValues: { ':pk': pk, ':prefix': prefix },
          ConsistentRead: true,
          ExclusiveStartKey: start,
          Limit: Number.isFinite(limit) ? limit - items.length : undefined,
        }),
      )
      items.push(...((page.Items ?? []) as Item[]))
      start = page.LastEvaluatedKey
    } while (start && items.length < limit)
    return items
  }

  async write(writes: Write[]): Promise<boolean> {
    const [only, ...more] = writes.map((write) => transactItem(this.#name, write))
    try {
      if (only && more.length === 0) await this.#single(only)
      else await this.#client.send(new TransactWriteCommand({ TransactItems: only ? [only, ...more] : [] }))
      return true
    } catch (error) {
      if (!(error instanceof Error)) throw error
      if (error.name === 'ConditionalCheckFailedException') return false
      // What a single write gets where a transaction gets itself cancelled; the SDK tries neither again.
      if (error.name === 'TransactionConflictException')
        throw new TryAgain('ledger_conflict', `The ledger was busy: ${error.message}`, error)
      if (error.name !== 'TransactionCanceledException') throw error
      const reasons = (error as { CancellationReasons?: { Code?: string }[] }).CancellationReasons ?? []
      if (reasons.some(({ Code }) => Code === 'ConditionalCheckFailed')) return false
      // Another transaction touched the same item: ours was not judged, so the caller may not conclude anything.
      throw new TryAgain('ledger_conflict', `The ledger was busy: ${error.message}`, error)
    }
  }

  /** A transaction of one costs twice what the plain write does. */
  async #single(item: TransactItem) {
    if (item.Put) await this.#client.send(new PutCommand(item.Put))
    else if (item.Delete) await this.#client.send(new DeleteCommand(item.Delete))
    else if (item.Update) await this.#client.send(new UpdateCommand(item.Update))
  }
}
