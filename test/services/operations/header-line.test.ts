import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { type HeaderOptions, headerLine } from '../../../services/operations/header-line.ts'

const of = (bytes: Buffer | string, options?: HeaderOptions, chunk = 3) => {
  const all = Buffer.from(bytes)
  const chunks = Array.from({ length: Math.ceil(all.length / chunk) }, (_, i) =>
    all.subarray(i * chunk, (i + 1) * chunk),
  )
  return headerLine(Readable.from(chunks, { objectMode: false }), options)
}

it.each([
  ['a line that ends in LF', 'A,B\n1,2\n'],
  ['a line that ends in CRLF', 'A,B\r\n1,2\r\n'],
  ['a line that ends in CR', 'A,B\r1,2\r'],
  ['a whole source without a line end', 'A,B'],
  ['a byte order mark before it', '\ufeffA,B\n'],
  ['blank lines before it', '\ufeff\n \t\r\n\u00a0\nA,B\n'],
])('is found in %s', async (_, text) => {
  expect(await of(text)).toBe('A,B')
  expect(await of(gzipSync(text), { gzip: true })).toBe('A,B')
})

it('may have a line break in quotes only where one record may have several lines', async () => {
  expect(await of('"A\nB",C\n')).toBe('"A')
  expect(await of('"A\nB",C\n', { quote: '"' })).toBe('"A\nB",C')
})

it.each([
  ['an empty source', '', {}],
  ['a source of blanks', '\n \n', {}],
  ['the first part of a source that ends within it', 'A,B', { whole: false }],
  ['a line that is longer than any may be', `${'x'.repeat(1_000_001)}`, { whole: false }],
])('is not found in %s', async (_, text, options) => {
  expect(await of(text, options, 65_536)).toBeUndefined()
})

it('is found in the first part of a gzip file, if it ends there', async () => {
  const packed = gzipSync(`A,B\n${Array.from({ length: 5000 }, (_, i) => `${i},${i * 7919}`).join('\n')}`)
  expect(await of(packed.subarray(0, 1000), { gzip: true, whole: false }, 200)).toBe('A,B')
  expect(await of(packed.subarray(0, 12), { gzip: true, whole: false })).toBeUndefined()
})

it('passes on what breaks the source', async () => {
  const broken = Readable.from(
    (function* () {
      yield Buffer.from('A,')
      throw new Error('connection lost')
    })(),
  )
  await expect(headerLine(broken)).rejects.toThrow('connection lost')
})
