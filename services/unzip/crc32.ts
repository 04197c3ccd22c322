import { crc32 as zlibCrc32 } from 'node:zlib'

/**
 * Stands in for `@node-rs/crc32` in a bundle: yauzl-promise asks it for this one function, and a native addon cannot be
 * bundled.
 * @param initialState the CRC so far, when the input continues earlier input
 */
export function crc32(input: Uint8Array | string, initialState?: number | null): number {
  return zlibCrc32(input, initialState ?? 0)
}
