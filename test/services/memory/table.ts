import type { Condition, Item, ItemKey, Table, Write } from '../../../services/ledger/table.ts'

/** Limits of DynamoDB. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html */
const MAX_WRITES = 100
const MAX_ITEM_BYTES = 400 * 1024

/** As DynamoDB's client sends it: a copy, without what is undefined. */
const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T
const nameOf = ({ pk, sk }: ItemKey) => `${pk}\n${sk}`
const bytes = (text: string) => Buffer.from(text)

const keyOf = (write: Write): ItemKey => ('put' in write ? write.put : 'update' in write ? write.update : write.delete)

function holds(condition: Condition, item: Item | undefined): boolean {
  const found = item?.[condition.attribute]
  if (!('to' in condition)) return (found === undefined) === (condition.is === 'absent')
  if (found === undefined) return condition.is === 'absentOrLess'
  // Values of two types are neither equal nor ordered.
  if (typeof found !== typeof condition.to) return false
  return condition.is === 'equal' ? found === condition.to : (found as string | number) < condition.to
}

function check(writes: Write[]): void {
  if (writes.length === 0 || writes.length > MAX_WRITES)
    throw new Error(`ValidationException: a transaction has 1 to ${MAX_WRITES} writes, found ${writes.length}`)
  if (new Set(writes.map((write) => nameOf(keyOf(write)))).size < writes.length)
    throw new Error('ValidationException: a transaction cannot write an item twice')
  for (const write of writes) {
    const { pk, sk } = keyOf(write)
    if (!pk || !sk) throw new Error('ValidationException: a key attribute is empty')
    if (!('update' in write)) continue
    const set = Object.entries(write.set ?? {}).flatMap(([name, value]) => (value === undefined ? [] : name))
    const touched = [...set, ...Object.keys(write.add ?? {}), ...(write.remove ?? [])]
    if (touched.length === 0) throw new Error('ValidationException: the update expression is empty')
    if (new Set(touched).size < touched.length) throw new Error('ValidationException: two paths overlap')
    if (touched.includes('pk') || touched.includes('sk')) throw new Error('ValidationException: a key cannot change')
  }
}

/** DynamoDB as the ledger uses it: conditions, transactions all or none, consistent reads, nothing shared with callers. */
export class MemoryTable implements Table {
  readonly items = new Map<string, Item>()

  async get(key: ItemKey): Promise<Item | undefined> {
    const item = this.items.get(nameOf(key))
    return item && copy(item)
  }

  async query(pk: string, prefix: string, limit = Number.POSITIVE_INFINITY): Promise<Item[]> {
    if (!pk || !prefix) throw new Error('ValidationException: a key attribute is empty')
    return [...this.items.values()]
      .filter((item) => item.pk === pk && item.sk.startsWith(prefix))
      .sort((a, b) => Buffer.compare(bytes(a.sk), bytes(b.sk)))
      .slice(0, limit)
      .map(copy)
  }

  async write(writes: Write[]): Promise<boolean> {
    check(writes)
    for (const write of writes) {
      const item = this.items.get(nameOf(keyOf(write)))
      if (!(write.when ?? []).every((condition) => holds(condition, item))) return false
    }
    const next = writes.map((write) => [nameOf(keyOf(write)), this.#after(write)] as const)
    for (const [name, item] of next) {
      if (item) this.items.set(name, item)
      else this.items.delete(name)
    }
    return true
  }

  #after(write: Write): Item | undefined {
    if ('delete' in write) return undefined
    const item = 'put' in write ? copy(write.put) : this.#updated(write)
    if (JSON.stringify(item).length > MAX_ITEM_BYTES)
      throw new Error(`ValidationException: Item size has exceeded the maximum allowed size (${item.pk} ${item.sk})`)
    return item
  }

  #updated(write: Extract<Write, { update: ItemKey }>): Item {
    const { pk, sk } = write.update
    const item: Item = { ...copy(this.items.get(nameOf(write.update)) ?? { pk, sk }), ...copy(write.set ?? {}) }
    for (const [attribute, by] of Object.entries(write.add ?? {})) item[attribute] = Number(item[attribute] ?? 0) + by
    for (const attribute of write.remove ?? []) delete item[attribute]
    return item
  }
}
