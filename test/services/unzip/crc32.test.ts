import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { expect, it } from 'vitest'
import { crc32 } from '../../../services/unzip/crc32.ts'

// The addon that yauzl-promise loads: not a dependency of ours, so it is found as yauzl-promise finds it.
const native = createRequire(createRequire(import.meta.url).resolve('yauzl-promise'))('@node-rs/crc32') as {
  crc32: typeof crc32
}

it('gives the same CRC as the addon that it stands in for, at once and in pieces', () => {
  for (const length of [0, 1, 7, 65_536, 1_000_003]) {
    const bytes = randomBytes(length)
    const half = length >> 1
    expect(crc32(bytes)).toBe(native.crc32(bytes))
    expect(crc32(bytes.subarray(half), crc32(bytes.subarray(0, half)))).toBe(native.crc32(bytes))
  }
  expect(crc32('Cote d’Ivoire')).toBe(native.crc32('Cote d’Ivoire'))
  expect(crc32('a', 0)).toBe(native.crc32('a', null))
})
