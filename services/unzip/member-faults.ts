import type { Entry } from './entries.ts'
import type { NameRefusal } from './names.ts'
import { shown, type ZipRefusal } from './refusals.ts'
import type { ZipSource } from './zip-reader.ts'

/** Bits of the flags: encrypted, strongly so, or with masked headers. */
const ENCRYPTED = 0x1 | 0x40 | 0x2000
const STORED = 0
const DEFLATED = 8
/** A longer name cannot become a key in S3, and is kept in the ledger of those that are skipped, too. */
const MAX_NAME_BYTES = 1024
/** What some tools pack an empty folder into: the end of a deflate stream, a header of an encryption. */
const EMPTY_PACKED_BYTES = 12

/** APPNOTE 4.4.5. */
const METHODS: Record<number, string> = {
  1: 'Shrink',
  2: 'Reduce 1',
  3: 'Reduce 2',
  4: 'Reduce 3',
  5: 'Reduce 4',
  6: 'Implode',
  9: 'Deflate64, as Windows Explorer packs members above 2 GiB',
  10: 'PKWARE Implode',
  12: 'bzip2',
  14: 'LZMA',
  16: 'IBM z/OS CMPSC',
  18: 'IBM TERSE',
  19: 'IBM LZ77',
  20: 'Zstandard, deprecated',
  93: 'Zstandard',
  94: 'MP3',
  95: 'XZ',
  96: 'JPEG',
  97: 'WavPack',
  98: 'PPMd',
  99: 'AES',
}

/**
 * Why a member cannot be taken, as far as its header shows; undefined also for what is to be skipped anyhow.
 * @param key relative to the zip's folder
 * @param claims names of the CSVs that become this key
 */
export function faultOf(
  zip: ZipSource,
  entry: Entry,
  prefix: string,
  key: string,
  claims: readonly string[],
): NameRefusal | undefined {
  const { name, rawName, flags, method, bytes, packedBytes } = entry
  const member = `Member ${shown(name)} of ${zip.key}`
  const fault = (code: ZipRefusal, message: string): NameRefusal => ({ code, message })
  if (rawName.length > MAX_NAME_BYTES)
    return fault(
      'unsafe_name',
      `${member} has a name of ${rawName.length} bytes; ${MAX_NAME_BYTES} can be a key of S3. Shorten it.`,
    )
  if (name.endsWith('/')) {
    if (bytes === 0 && packedBytes <= EMPTY_PACKED_BYTES) return undefined
    return fault(
      'folder_with_data',
      `${member} is a folder by its name, and holds ${bytes} bytes. Name it as a file, and land the zip again.`,
    )
  }
  // Not one of the CSVs.
  if (claims.length === 0) return undefined
  if (claims.length > 1) {
    const all = claims.length === 2 ? claims.map(shown) : [shown(claims[0] ?? ''), `${claims.length - 1} others`]
    const message = `Members ${all.join(' and ')} of ${zip.key} become one key, ${prefix}${key}. Rename them, and land the zip again.`
    return fault('name_collision', message)
  }
  if ((flags & ENCRYPTED) !== 0)
    return fault('encrypted_member', `${member} is encrypted. Land it without encryption: the bucket encrypts.`)
  if (method !== STORED && method !== DEFLATED) {
    const what = METHODS[method] ? ` (${METHODS[method]})` : ''
    const message = `${member} has compression method ${method}${what}; 0 (stored) and 8 (deflate) can be read. Zip it again with deflate.`
    return fault('unsupported_compression', message)
  }
  if (method === STORED && packedBytes !== bytes)
    return fault(
      'size_mismatch',
      `${member} is stored in ${packedBytes} bytes, and declares ${bytes}. Make the zip again and land it again.`,
    )
  const keyBytes = Buffer.byteLength(prefix + key)
  if (keyBytes > MAX_NAME_BYTES)
    return fault(
      'unsafe_name',
      `${member} would need a key of ${keyBytes} bytes; S3 takes ${MAX_NAME_BYTES}. Shorten its name.`,
    )
  return undefined
}
