import { afterAll, describe, expect, it } from 'vitest'
import { listen, startLocal, tlsOnlyBucket } from './support.ts'

const local = await startLocal()
afterAll(() => local.stop())
const { s3 } = local

const Bucket = 'raw'
const EventBridgeConfiguration = {}
await s3.createBucket({ Bucket })
await s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: 'Enabled' } })
await s3.createBucket({ Bucket: 'plain' })
for (const name of [Bucket, 'plain']) {
  await s3.putBucketNotificationConfiguration({ Bucket: name, NotificationConfiguration: { EventBridgeConfiguration } })
}
const events = await listen(local, 's3-events', { source: ['aws.s3'] })

describe('an S3 event on EventBridge', () => {
  it('names the version on a versioned bucket', async () => {
    const { VersionId, ETag } = await s3.putObject({ Bucket, Key: 'a b+c.csv', Body: 'x' })
    const event = await events.next()
    expect(event['detail-type']).toBe('Object Created')
    expect(event.detail).toMatchObject({
      reason: 'PutObject',
      bucket: { name: Bucket },
      object: {
        key: 'a b+c.csv',
        size: 1,
        etag: ETag?.replaceAll('"', ''),
        'version-id': VersionId,
        sequencer: expect.any(String),
      },
    })
    expect(VersionId).toMatch(/./)
  })

  it('names no version on an unversioned bucket', async () => {
    await s3.putObject({ Bucket: 'plain', Key: 'a', Body: 'x' })
    expect((await events.next()).detail.object).not.toHaveProperty('version-id')
  })

  it('has size, version and reason of a completed multipart upload', async () => {
    const Key = 'multi.csv'
    const { UploadId } = await s3.createMultipartUpload({ Bucket, Key })
    const part = await s3.uploadPart({ Bucket, Key, UploadId, PartNumber: 1, Body: 'hello' })
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: part.ETag }] }
    const { VersionId } = await s3.completeMultipartUpload({ Bucket, Key, UploadId, MultipartUpload })
    const { detail } = await events.next()
    expect(detail).toMatchObject({
      reason: 'CompleteMultipartUpload',
      object: { key: Key, size: 5, 'version-id': VersionId },
    })
  })

  it('says of a delete whether it left a marker, for one object or several', async () => {
    const { VersionId } = await s3.deleteObject({ Bucket, Key: 'multi.csv' })
    const one = await events.next()
    expect(one['detail-type']).toBe('Object Deleted')
    expect(one.detail).toMatchObject({
      reason: 'DeleteObject',
      'deletion-type': 'Delete Marker Created',
      object: { key: 'multi.csv', 'version-id': VersionId },
    })
    await s3.deleteObjects({ Bucket: 'plain', Delete: { Objects: [{ Key: 'a' }] } })
    expect((await events.next()).detail).toMatchObject({
      reason: 'DeleteObject',
      'deletion-type': 'Permanently Deleted',
    })
  })

  it('of a copy gives its reason and the version of the copy', async () => {
    const { VersionId } = await s3.copyObject({ Bucket, Key: 'copy.csv', CopySource: `${Bucket}/a%20b%2Bc.csv` })
    expect((await events.next()).detail).toMatchObject({
      reason: 'CopyObject',
      object: { 'version-id': VersionId, size: 1 },
    })
  })
})

describe('S3', () => {
  it('copies only what the ETag names', async () => {
    const { ETag } = await s3.putObject({ Bucket: 'plain', Key: 'source', Body: 'x' })
    const copy = { Bucket: 'plain', Key: 'target', CopySource: 'plain/source' }
    await expect(s3.copyObject({ ...copy, CopySourceIfMatch: '"other"' })).rejects.toMatchObject({
      name: 'PreconditionFailed',
    })
    await expect(s3.headObject({ Bucket: 'plain', Key: 'target' })).rejects.toMatchObject({ name: 'NotFound' })
    await s3.copyObject({ ...copy, CopySourceIfMatch: ETag })
    expect((await s3.headObject({ Bucket: 'plain', Key: 'target' })).ETag).toBe(ETag)
  })

  it('answers 404 for a deleted key, versioned or not', async () => {
    await s3.deleteObject({ Bucket: 'plain', Key: 'target' })
    await expect(s3.headObject({ Bucket: 'plain', Key: 'target' })).rejects.toMatchObject({
      $metadata: { httpStatusCode: 404 },
    })
    await expect(s3.headObject({ Bucket, Key: 'multi.csv' })).rejects.toMatchObject({
      $metadata: { httpStatusCode: 404 },
    })
  })

  it('writes an object only if there is none', async () => {
    await s3.putObject({ Bucket: 'plain', Key: 'report.json', Body: '1', IfNoneMatch: '*' })
    const again = s3.putObject({ Bucket: 'plain', Key: 'report.json', Body: '2', IfNoneMatch: '*' })
    await expect(again).rejects.toMatchObject({ name: 'PreconditionFailed' })
  })

  it('counts requests from this machine as TLS, which bucket policies demand', async () => {
    const user = await tlsOnlyBucket(local, 'tls')
    await user.putObject({ Bucket: 'tls', Key: 'a', Body: 'x' })
    expect((await user.headObject({ Bucket: 'tls', Key: 'a' })).ContentLength).toBe(1)
  })
})

describe('DynamoDB', () => {
  it('writes all of a transaction or nothing', async () => {
    const { dynamodb } = local
    const TableName = 'ledger'
    await dynamodb.createTable({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
    })
    const put = (pk: string) => ({
      Put: { TableName, Item: { pk: { S: pk } }, ConditionExpression: 'attribute_not_exists(pk)' },
    })
    await dynamodb.transactWriteItems({ TransactItems: [put('a')] })
    const both = dynamodb.transactWriteItems({ TransactItems: [put('b'), put('a')] })
    await expect(both).rejects.toMatchObject({
      name: 'TransactionCanceledException',
      CancellationReasons: [{ Code: 'None' }, { Code: 'ConditionalCheckFailed' }],
    })
    expect((await dynamodb.getItem({ TableName, Key: { pk: { S: 'b' } } })).Item).toBeUndefined()
  })
})
