import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { describe, expect, it } from 'vitest'
import { DynamoTable, transactItem, type Write } from '../../../services/ledger/table.ts'
import { MemoryTable } from '../memory/table.ts'

const key = { pk: 'p', sk: 's' }

describe('a write in the words of DynamoDB', () => {
  it('names every attribute and value, so that no reserved word can meet one', () => {
    expect(
      transactItem('T', {
        update: key,
        set: { state: 'x', absent: undefined },
        add: { size: 2 },
        remove: ['lockOwner', 'lockUntil'],
        when: [
          { attribute: 'seq', is: 'equal', to: 3 },
          { attribute: 'lockUntil', is: 'absentOrLess', to: 9 },
          { attribute: 'pk', is: 'present' },
        ],
      }).Update,
    ).toEqual({
      TableName: 'T',
      Key: key,
      UpdateExpression: 'SET #S0 = :S0 ADD #A0 :A0 REMOVE #r0, #r1',
      ConditionExpression: '#c0 = :c0 AND (attribute_not_exists(#c1) OR #c1 < :c1) AND attribute_exists(#c2)',
      ExpressionAttributeNames: {
        '#c0': 'seq',
        '#c1': 'lockUntil',
        '#c2': 'pk',
        '#S0': 'state',
        '#A0': 'size',
        '#r0': 'lockOwner',
        '#r1': 'lockUntil',
      },
      ExpressionAttributeValues: { ':c0': 3, ':c1': 9, ':S0': 'x', ':A0': 2 },
    })
  })

  it('leaves out the maps that DynamoDB refuses to get empty', () => {
    expect(transactItem('T', { delete: key }).Delete).toEqual({ TableName: 'T', Key: key })
    expect(transactItem('T', { put: key, when: [{ attribute: 'pk', is: 'absent' }] }).Put).toEqual({
      TableName: 'T',
      Item: key,
      ConditionExpression: 'attribute_not_exists(#c0)',
      ExpressionAttributeNames: { '#c0': 'pk' },
    })
  })
})

describe('what DynamoDB answers', () => {
  const failing = (name: string, reasons?: { Code: string }[]) =>
    new DynamoTable(
      {
        send: async () => {
          throw Object.assign(new Error('no'), { name, CancellationReasons: reasons })
        },
      } as unknown as DynamoDBDocumentClient,
      'T',
    )
  const one: Write[] = [{ delete: key }]
  const two: Write[] = [{ delete: key }, { delete: { pk: 'p', sk: 't' } }]

  it('is false for a condition that does not hold, alone or in a transaction', async () => {
    expect(await failing('ConditionalCheckFailedException').write(one)).toBe(false)
    expect(
      await failing('TransactionCanceledException', [{ Code: 'None' }, { Code: 'ConditionalCheckFailed' }]).write(two),
    ).toBe(false)
  })

  it.each([
    ['a transaction', two, failing('TransactionCanceledException', [{ Code: 'TransactionConflict' }])],
    ['a single write', one, failing('TransactionConflictException')],
  ])('is no answer for %s that met another: the caller tries again', async (_, writes, table) => {
    await expect(table.write(writes)).rejects.toMatchObject({
      code: 'ledger_conflict',
      retryable: true,
      message: 'The ledger was busy: no',
    })
  })

  it('is thrown as it is where it is anything else', async () => {
    await expect(failing('AccessDeniedException').write(one)).rejects.toThrow(
      expect.objectContaining({ name: 'AccessDeniedException' }),
    )
  })
})

describe('the table in memory', () => {
  it('writes all of a transaction or nothing', async () => {
    const table = new MemoryTable()
    const refused = await table.write([
      { put: { ...key, n: 1 } },
      { put: { pk: 'p', sk: 't' }, when: [{ attribute: 'pk', is: 'present' }] },
    ])
    expect(refused).toBe(false)
    expect(table.items.size).toBe(0)
  })

  it('shares nothing with those who wrote or read', async () => {
    const table = new MemoryTable()
    const item = { ...key, list: [1], gone: undefined }
    await table.write([{ put: item }])
    item.list.push(2)
    const read = await table.get(key)
    if (Array.isArray(read?.list)) read.list.push(3)
    expect(await table.get(key)).toEqual({ ...key, list: [1] })
  })

  it.each([
    ['an item twice', [{ delete: key }, { put: key }], 'cannot write an item twice'],
    ['an update of nothing', [{ update: key, set: { a: undefined } }], 'the update expression is empty'],
    ['one attribute set and removed', [{ update: key, set: { a: 1 }, remove: ['a'] }], 'two paths overlap'],
    ['more than 100 writes', Array.from({ length: 101 }, (_, i) => ({ delete: { pk: 'p', sk: `${i}` } })), 'found 101'],
    ['an item above 400 KB', [{ put: { ...key, a: 'x'.repeat(410_000) } }], 'Item size has exceeded'],
  ] as [string, Write[], string][])('refuses %s, as DynamoDB does', async (_, writes, message) => {
    await expect(new MemoryTable().write(writes)).rejects.toThrow(message)
  })

  it('adds to what is absent, and compares only what is of one type', async () => {
    const table = new MemoryTable()
    await table.write([{ update: key, add: { n: 2 } }])
    await table.write([{ update: key, add: { n: 3 } }])
    expect(await table.get(key)).toEqual({ ...key, n: 5 })
    expect(await table.write([{ delete: key, when: [{ attribute: 'n', is: 'less', to: '9' }] }])).toBe(false)
    expect(await table.write([{ delete: key, when: [{ attribute: 'm', is: 'less', to: 9 }] }])).toBe(false)
    expect(await table.write([{ delete: key, when: [{ attribute: 'm', is: 'absentOrLess', to: 9 }] }])).toBe(true)
  })
})
