import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { inUtf8 } from '../../services/engine/duckdb/transcode.ts'
import { random } from './dirty.ts'

const PIECES = ['a', 'é', '北', '😀', '\ufeff', '\ufffd', '\n', '\ud800', '\udfff', '\ud83d']

const whole = (content: Buffer, encoding: Parameters<typeof inUtf8>[1], size = 1 << 20) => {
  const chunks = Array.from({ length: Math.ceil(content.length / size) }, (_, i) =>
    content.subarray(i * size, (i + 1) * size),
  )
  return buffer(inUtf8(Readable.from(chunks), encoding, 'x.csv'))
}

/** Character by character: what is no character is one byte that UTF-8 has not. */
const reference = (text: string) =>
  Buffer.concat([...text].map((char) => (char.isWellFormed() ? Buffer.from(char) : Buffer.from([0xff]))))

test.each(Array.from({ length: 20 }, (_, i) => i + 1))(
  'UTF-16 is the same in UTF-8 however it is cut (seed %i)',
  async (seed) => {
    const dice = random(seed)
    const text = `ab${Array.from({ length: 60 }, () => dice.pick(PIECES)).join('')}`
    const little = Buffer.from(text, 'utf16le')
    for (const size of [1, 2, 3, 7, 1000])
      for (const [encoding, bytes] of [
        ['utf-16le', little],
        ['utf-16be', Buffer.from(little).swap16()],
      ] as const) {
        expect(await whole(bytes, encoding, size)).toEqual(reference(text))
        const cut = Buffer.concat([bytes, Buffer.alloc(1)])
        expect(await whole(cut, encoding, size)).toEqual(Buffer.concat([reference(text), Buffer.from([0xff])]))
      }
  },
)

test('each byte of Latin-1 is the character of its number', async () => {
  const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
  const text = String.fromCharCode(...every)
  expect((await whole(every, 'latin-1', 7)).toString()).toBe(text)
})

test('a source that fails while it is read fails with its own error', async () => {
  const broken = new Readable({
    read() {
      this.destroy(new Error('connection reset'))
    },
  })
  await expect(buffer(inUtf8(broken, 'utf-16le', 'x.csv'))).rejects.toThrow('connection reset')
})
