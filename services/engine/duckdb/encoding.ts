import { isUtf8 } from 'node:buffer'
import type { Plan } from '../../../schemas/plan.ts'
import { RefusedSource } from '../refused.ts'

export type Encoding = Plan['source']['encoding']

const NAMES: Record<Encoding, string> = {
  'utf-8': 'UTF-8',
  'utf-16': 'UTF-16',
  'utf-16le': 'UTF-16 (little-endian)',
  'utf-16be': 'UTF-16 (big-endian)',
  'latin-1': 'Latin-1',
}
const wrong = (message: string) => new RefusedSource('wrong_encoding', message)
const setting = (encoding: Encoding) => `"source": { "encoding": "${encoding}" }`
const mend = (expected: Encoding, other: Encoding) =>
  `Save it as ${NAMES[expected]} and land it again, or have the contract say ${setting(other)}.`

/**
 * Compares a source's byte order mark with the encoding that the contract expects.
 * @returns the encoding that the mark is of, null where there is none
 * @throws RefusedSource
 */
export function checkMark(begin: Uint8Array, encoding: Encoding, key: string): Encoding | null {
  const found = byteOrderMark(begin)
  if (encoding === 'utf-16' && found === null)
    throw wrong(
      `${key} has no byte order mark, which the contract's encoding utf-16 expects. Save it with one, or name its order in the contract: ${setting('utf-16le')} or "utf-16be".`,
    )
  if (found !== null && found !== encoding && (encoding !== 'utf-16' || found === 'utf-8'))
    throw wrong(
      `${key} begins with the byte order mark of ${NAMES[found]}; the contract expects ${NAMES[encoding]}. ${mend(encoding, found === 'utf-8' ? found : 'utf-16')}`,
    )
  return found
}

function byteOrderMark(bytes: Uint8Array): Encoding | null {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le'
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be'
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 'utf-8' : null
}

/** The text of a header, which is UTF-8 by now. @throws RefusedSource */
export function headerText(line: Buffer, encoding: Encoding, key: string): string {
  for (const [found, zero] of [
    ['utf-16le', 1],
    ['utf-16be', 0],
  ] as const)
    if (line.length > 1 && line[zero] === 0 && line[1 - zero] !== 0)
      throw wrong(
        `Header of ${key} looks like ${NAMES[found]}; the contract expects ${NAMES[encoding]}. ${mend(encoding, found)}`,
      )
  if (isUtf8(line)) return line.toString('utf8')
  const how = encoding === 'utf-8' ? mend(encoding, 'latin-1') : `Save it as ${NAMES[encoding]} and land it again.`
  throw wrong(`Header of ${key} is not ${NAMES[encoding]}, which the contract expects. ${how}`)
}
