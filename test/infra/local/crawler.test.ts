import { afterAll, describe, expect, it } from 'vitest'
import { createRole, eventually, listen, startLocal } from './support.ts'
import { Bucket, createOrders, DatabaseName, order, query, storage } from './tables.ts'

const local = await startLocal({ LANDFALL_CRAWLER_STOPPING: '1.5' })
afterAll(() => local.stop())
const { glue, s3 } = local
await createOrders(local, 'orders')
const Role = await createRole(local, Bucket, 'glue.amazonaws.com')
const events = await listen(local, 'crawler-events', {
  source: ['aws.glue'],
  'detail-type': ['Glue Crawler State Change'],
})

async function crawler(Name: string, table: string) {
  await glue.createCrawler({ Name, Role, Targets: { CatalogTargets: [{ DatabaseName, Tables: [table] }] } })
  return Name
}
const state = async (Name: string) => (await glue.getCrawler({ Name })).Crawler
const ready = (Name: string) =>
  eventually('the crawler', async () => ((await state(Name))?.State === 'READY' ? true : undefined))
const partitions = async () => (await glue.getPartitions({ DatabaseName, TableName: 'orders' })).Partitions ?? []
const values = async () => (await partitions()).map(({ Values }) => Values?.[0]).sort()
const put = async (Key: string) => s3.putObject({ Bucket, Key, Body: await order(1) })

describe('a crawl', () => {
  it('adds the partitions that it finds, unescaped, with the location as it is on S3', async () => {
    await put('orders/COUNTRY=Cote d%27Ivoire/a.parquet')
    await put('orders/COUNTRY=__HIVE_DEFAULT_PARTITION__/a.parquet')
    await put('orders/country=Chad/a.parquet')
    await put('orders/OTHER=x/a.parquet')
    await put('orders/a.parquet')
    await s3.putObject({ Bucket, Key: 'orders/COUNTRY=Nobody/', Body: '', ContentLength: 0 })
    const Name = await crawler('orders', 'orders')
    await glue.startCrawler({ Name })
    const started = await events.next()
    expect(started.detail).toMatchObject({
      accountId: '000000000000',
      crawlerName: 'orders',
      state: 'Started',
      message: 'Crawler Started',
    })
    const { detail } = await events.next()
    expect(detail).toMatchObject({
      crawlerName: 'orders',
      state: 'Succeeded',
      message: 'Crawler Succeeded',
      partitionsCreated: '3',
      partitionsDeleted: '0',
      'runningTime (sec)': '0',
    })
    // Its event comes while it cannot be started again.
    expect((await state(Name))?.State).toBe('STOPPING')
    await expect(glue.startCrawler({ Name })).rejects.toMatchObject({ name: 'CrawlerRunningException' })
    await ready(Name)
    expect((await state(Name))?.LastCrawl?.Status).toBe('SUCCEEDED')
    expect(await values()).toEqual(['Chad', "Cote d'Ivoire", '__HIVE_DEFAULT_PARTITION__'])
    const found = (await partitions()).find(({ Values }) => Values?.[0] === "Cote d'Ivoire")
    expect(found?.StorageDescriptor?.Location).toBe(`s3://${Bucket}/orders/COUNTRY=Cote d%27Ivoire/`)
    expect(found?.StorageDescriptor?.Columns).toEqual(storage('').Columns)
    expect(await query(local, 'SELECT count(*) AS n FROM orders')).toEqual([['n'], ['3']])
  })

  it('adds what is new and drops nothing', async () => {
    await s3.deleteObject({ Bucket, Key: 'orders/country=Chad/a.parquet' })
    await put('orders/COUNTRY=Mali/a.parquet')
    await glue.startCrawler({ Name: 'orders' })
    await expect(glue.startCrawler({ Name: 'orders' })).rejects.toMatchObject({ name: 'CrawlerRunningException' })
    await events.next()
    expect((await events.next()).detail).toMatchObject({ state: 'Succeeded', partitionsCreated: '1' })
    expect(await values()).toEqual(['Chad', "Cote d'Ivoire", 'Mali', '__HIVE_DEFAULT_PARTITION__'])
  })

  it('of a table that does not exist fails and says so', async () => {
    const Name = await crawler('lost', 'nowhere')
    await glue.startCrawler({ Name })
    await events.next()
    expect((await events.next()).detail).toMatchObject({
      crawlerName: 'lost',
      state: 'Failed',
      errorMessage: 'table sales.nowhere does not exist',
    })
    await ready(Name)
    expect((await state(Name))?.LastCrawl).toMatchObject({
      Status: 'FAILED',
      ErrorMessage: 'table sales.nowhere does not exist',
    })
  })
})

describe('the catalog', () => {
  it('deletes partitions in a batch and names those that are missing', async () => {
    const PartitionsToDelete = [{ Values: ['Chad'] }, { Values: ['Atlantis'] }]
    const { Errors } = await glue.batchDeletePartition({ DatabaseName, TableName: 'orders', PartitionsToDelete })
    expect(Errors).toMatchObject([
      { PartitionValues: ['Atlantis'], ErrorDetail: { ErrorCode: 'EntityNotFoundException' } },
    ])
    expect(await values()).not.toContain('Chad')
  })
})
