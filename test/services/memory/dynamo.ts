import type { DynamoDBDocumentClient, TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb'
import {
  DeleteCommand,
  GetCommand,
  PutCommand,
  QueryCommand,
  TransactWriteCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import type { Item, ItemKey } from '../../../services/ledger/table.ts'
import { applies, updated } from './expressions.ts'

/** Limits of DynamoDB. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html */
const MAX_WRITES = 100
const MAX_ITEM_BYTES = 400 * 1024
const MAX_TRANSACTION_BYTES = 4 * 1024 ** 2

type TransactItem = NonNullable<TransactWriteCommandInput['TransactItems']>[number]

/** As it is sent: a copy, without what is undefined. */
const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T
const nameOf = ({ pk, sk }: ItemKey) => `${pk}\n${sk}`
const bytes = (text: string) => Buffer.from(text)

/** As DynamoDB counts: names and texts by their bytes in UTF-8, and a little for what holds others. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (typeof value === 'number') return Math.ceil(String(value).length / 2) + 1
  if (Array.isArray(value)) return value.reduce((sum, each) => sum + 1 + sizeOf(each), 3)
  if (typeof value !== 'object' || value === null) return 1
  return Object.entries(value).reduce((sum, [name, each]) => sum + 1 + Buffer.byteLength(name) + sizeOf(each), 3)
}

const exception = (name: string, message = name, more = {}) =>
  Object.assign(new Error(message), { name, $metadata: { httpStatusCode: 400 }, ...more })
const invalid = (message: string) => exception('ValidationException', `ValidationException: ${message}`)

const keyOf = ({ Put, Delete, Update }: TransactItem): ItemKey =>
  (Put?.Item ?? Delete?.Key ?? Update?.Key ?? {}) as ItemKey

/**
 * DynamoDB as the ledger's table uses it: conditions, transactions all or none, nothing shared with callers. A read that is not
 * said to be consistent sees each item as it was before its last write: the latest that AWS promises nothing of.
 */
export class MemoryDynamo {
  readonly items = new Map<string, Item>()
  readonly #partitions = new Map<string, Map<string, Item>>()
  /** Of each item, what it was before it was written last. */
  readonly #before = new Map<string, Item | undefined>()

  get client(): DynamoDBDocumentClient {
    return this as unknown as DynamoDBDocumentClient
  }

  async send(command: unknown): Promise<unknown> {
    if (command instanceof GetCommand) return this.#get(command.input)
    if (command instanceof QueryCommand) return this.#query(command.input)
    if (command instanceof TransactWriteCommand) return this.#transact(command.input.TransactItems ?? [])
    if (command instanceof PutCommand) return this.#single({ Put: command.input } as TransactItem)
    if (command instanceof DeleteCommand) return this.#single({ Delete: command.input } as TransactItem)
    if (command instanceof UpdateCommand) return this.#single({ Update: command.input } as TransactItem)
    throw new Error(`The memory DynamoDB has no ${(command as object).constructor.name}`)
  }

  #get({ Key, ConsistentRead }: GetCommand['input']) {
    const name = nameOf(Key as ItemKey)
    const item = ConsistentRead || !this.#before.has(name) ? this.items.get(name) : this.#before.get(name)
    return { Item: item && copy(item) }
  }

  #query({ ExpressionAttributeValues, ConsistentRead, Limit, ExclusiveStartKey }: QueryCommand['input']) {
    const { ':pk': pk, ':prefix': prefix } = ExpressionAttributeValues as { ':pk': string; ':prefix': string }
    if (!pk || !prefix) throw invalid('a key attribute is empty')
    if (ExclusiveStartKey) throw new Error('The memory DynamoDB gives all in one page')
    const seen = ConsistentRead ? (this.#partitions.get(pk)?.values() ?? []) : this.#earlier(pk)
    const found = [...seen]
      .filter(({ sk }) => sk.startsWith(prefix))
      .sort((a, b) => Buffer.compare(bytes(a.sk), bytes(b.sk)))
      .slice(0, Limit)
    return { Items: found.map(copy) }
  }

  #earlier(pk: string): Item[] {
    const then = [...this.#before].flatMap(([name, item]) => (name.startsWith(`${pk}\n`) ? (item ?? []) : []))
    const untouched = [...(this.#partitions.get(pk)?.values() ?? [])].filter((item) => !this.#before.has(nameOf(item)))
    return [...then, ...untouched]
  }

  #single(write: TransactItem) {
    this.#check([write])
    if (!this.#holds(write)) throw exception('ConditionalCheckFailedException')
    this.#apply([write])
    return {}
  }

  #transact(writes: TransactItem[]) {
    this.#check(writes)
    const reasons = writes.map((write) => ({ Code: this.#holds(write) ? 'None' : 'ConditionalCheckFailed' }))
    if (reasons.some(({ Code }) => Code !== 'None'))
      throw exception('TransactionCanceledException', 'Transaction cancelled', { CancellationReasons: reasons })
    this.#apply(writes)
    return {}
  }

  #check(writes: TransactItem[]): void {
    if (writes.length === 0 || writes.length > MAX_WRITES)
      throw invalid(`a transaction has 1 to ${MAX_WRITES} writes, found ${writes.length}`)
    if (new Set(writes.map((write) => nameOf(keyOf(write)))).size < writes.length)
      throw invalid('a transaction cannot write an item twice')
    for (const { pk, sk } of writes.map(keyOf)) if (!pk || !sk) throw invalid('a key attribute is empty')
  }

  #holds(write: TransactItem): boolean {
    const { ConditionExpression, ExpressionAttributeNames, ExpressionAttributeValues } =
      write.Put ?? write.Delete ?? write.Update ?? {}
    const words = { names: ExpressionAttributeNames, values: ExpressionAttributeValues }
    return applies(ConditionExpression, words, this.items.get(nameOf(keyOf(write))))
  }

  #apply(writes: TransactItem[]): void {
    const next = writes.map((write) => [keyOf(write), this.#after(write)] as const)
    const size = next.reduce((sum, [, item]) => sum + (item ? sizeOf(item) : 0), 0)
    if (writes.length > 1 && size > MAX_TRANSACTION_BYTES)
      throw invalid(`a transaction has at most ${MAX_TRANSACTION_BYTES} bytes, found ${size}`)
    for (const [key, item] of next) {
      const name = nameOf(key)
      this.#before.set(name, this.items.get(name))
      const partition = this.#partitions.get(key.pk) ?? new Map<string, Item>()
      this.#partitions.set(key.pk, partition)
      if (item) this.items.set(name, item)
      else this.items.delete(name)
      if (item) partition.set(key.sk, item)
      else partition.delete(key.sk)
    }
  }

  #after({ Put, Update }: TransactItem): Item | undefined {
    if (!Put && !Update) return undefined
    const item = Put ? (copy(Put.Item) as Item) : this.#updated(Update as NonNullable<TransactItem['Update']>)
    const size = sizeOf(item)
    if (size > MAX_ITEM_BYTES)
      throw invalid(`Item size has exceeded the maximum allowed size (${size}: ${item.pk} ${item.sk})`)
    return item
  }

  #updated(update: NonNullable<TransactItem['Update']>): Item {
    const { pk, sk } = update.Key as ItemKey
    const words = { names: update.ExpressionAttributeNames, values: copy(update.ExpressionAttributeValues ?? {}) }
    const item = this.items.get(nameOf({ pk, sk }))
    return updated(update.UpdateExpression ?? '', words, item ? copy(item) : { pk, sk })
  }
}
