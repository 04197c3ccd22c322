import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { ObjectIo } from '../../services/engine/io/object-io.ts'
import { s3Client, s3Io } from '../../services/engine/io/s3-io.ts'

/** What was asked of the stand-in for S3, without the body. */
interface Asked {
  method: string
  path: string
  query: Record<string, string>
  headers: IncomingMessage['headers']
  bytes: number
}
type Answer = { status: number; headers?: Record<string, string>; body?: string }

let server: Server
let io: ObjectIo
let dir: string
const asked: Asked[] = []
let answer: (request: Asked) => Answer

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'landfall-s3-'))
  server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://s3')
    const bytes = (await buffer(request)).length
    const { 'x-id': _, ...query } = Object.fromEntries(url.searchParams)
    const one = { method: request.method ?? '', path: url.pathname, query, headers: request.headers, bytes }
    asked.push(one)
    const { status, headers = {}, body = '' } = answer(one)
    response.writeHead(status, headers).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  process.env.AWS_ACCESS_KEY_ID ??= 'test'
  process.env.AWS_SECRET_ACCESS_KEY ??= 'test'
  process.env.AWS_REGION ??= 'eu-west-1'
  io = s3Io(s3Client({ AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` }))
})
afterAll(() => {
  server.close()
  server.closeAllConnections()
  rmSync(dir, { recursive: true, force: true })
})
beforeEach(() => {
  asked.length = 0
})

const local = (bytes: number) => {
  const file = join(dir, `${bytes}.bin`)
  writeFileSync(file, Buffer.alloc(bytes, 1))
  return file
}
const error = (status: number, code: string): Answer => ({
  status,
  headers: { 'content-type': 'application/xml' },
  body: `<Error><Code>${code}</Code><Message>no</Message></Error>`,
})

test('reads the very version that the manifest means, by path', async () => {
  answer = () => ({ status: 200, body: 'Key,Value\n' })
  const stream = await io.read({ uri: 's3://raw/data/sales/a b.csv', etag: '"e1"', versionId: 'v1' })
  expect((await buffer(stream)).toString()).toBe('Key,Value\n')
  expect(asked).toMatchObject([
    { method: 'GET', path: '/raw/data/sales/a%20b.csv', query: { versionId: 'v1' }, headers: { 'if-match': '"e1"' } },
  ])
})

test.each([
  [404, 'NoSuchKey'],
  [404, 'NoSuchVersion'],
  [405, 'MethodNotAllowed'],
  [412, 'PreconditionFailed'],
])('takes %i %s for a source that is gone', async (status, code) => {
  answer = () => error(status, code)
  await expect(io.read({ uri: 's3://raw/data/x.csv' })).rejects.toThrow('data/x.csv is gone')
})

test('does not take a denial for a source that is gone', async () => {
  answer = () => error(403, 'AccessDenied')
  await expect(io.read({ uri: 's3://raw/data/x.csv' })).rejects.not.toThrow('gone')
})

test('puts a report only where none is', async () => {
  answer = () => ({ status: 200, headers: { etag: '"r"' } })
  expect(await io.putIfAbsent('s3://staging/report.json', '{}')).toBe(true)
  expect(asked).toMatchObject([{ method: 'PUT', path: '/staging/report.json', headers: { 'if-none-match': '*' } }])
  answer = () => error(412, 'PreconditionFailed')
  expect(await io.putIfAbsent('s3://staging/report.json', '{}')).toBe(false)
})

test('sends a small file at once, and tells the ETag that S3 gave', async () => {
  answer = () => ({ status: 200, headers: { etag: '"small"' } })
  expect(await io.upload(local(1000), 's3://staging/p.parquet')).toEqual({ etag: '"small"', bytes: 1000 })
  expect(asked.map(({ method, path }) => `${method} ${path}`)).toEqual(['PUT /staging/p.parquet'])
})

const multipart = ({ method, query }: Asked): Answer => {
  if (method === 'POST' && 'uploads' in query)
    return {
      status: 200,
      body: '<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>',
    }
  if (method === 'POST')
    return {
      status: 200,
      body: '<CompleteMultipartUploadResult><ETag>"whole-3"</ETag></CompleteMultipartUploadResult>',
    }
  return { status: method === 'DELETE' ? 204 : 200, headers: { etag: `"part-${query.partNumber}"` } }
}

test('sends a large file in parts', async () => {
  answer = multipart
  const size = 40 * 1024 ** 2
  expect(await io.upload(local(size), 's3://staging/p.parquet')).toEqual({ etag: '"whole-3"', bytes: size })
  const parts = asked.filter(({ method }) => method === 'PUT')
  expect(parts.map(({ query }) => query.partNumber).sort()).toEqual(['1', '2', '3'])
})

test('leaves no open upload when a part fails', async () => {
  answer = (request) => (request.query.partNumber === '2' ? error(400, 'BadDigest') : multipart(request))
  await expect(io.upload(local(40 * 1024 ** 2), 's3://staging/p.parquet')).rejects.toThrow('no')
  // After all parts under way have ended: one that ends later would stay behind, and be paid for.
  expect(asked.at(-1)).toMatchObject({ method: 'DELETE', query: { uploadId: 'u1' } })
})
