import { Refused } from '../lambda/errors.ts'

/** Why a zip is refused. */
export const ZIP_REFUSALS = [
  'not_a_zip',
  'truncated_zip',
  'corrupt_zip',
  'multi_disk_zip',
  'crc_mismatch',
  'size_mismatch',
  'encrypted_member',
  'unsupported_compression',
  'unsafe_name',
  'name_collision',
  'too_many_members',
  'too_large',
  'ratio_too_high',
  'no_csv_member',
] as const
export type ZipRefusal = (typeof ZIP_REFUSALS)[number]

/** The zip's fault: nothing of it is in the raw zone, and landing it again as it is would end the same way. */
export class ZipRefused extends Refused {
  declare readonly code: ZipRefusal
  /** As the zip names it, where one member is at fault. */
  readonly member: string | undefined

  constructor(code: ZipRefusal, message: string, member?: string) {
    super(code, message)
    this.member = member
  }
}

/** The version that the event named is no longer there, or is another object by now. */
export class ZipGone extends Refused {
  constructor(message: string) {
    super('gone', message)
  }
}

/** A name as a message shows it: quoted, control characters visible, never longer than a line. */
export function shown(name: string): string {
  const quoted = JSON.stringify(name)
  return quoted.length > 200 ? `${quoted.slice(0, 200)}…"` : quoted
}

const ADVICE = 'Make the zip again and land it again.'

/** What yauzl-promise and zlib say, and what that means for the owner. The first that fits counts. */
const MEANINGS: readonly { says: RegExp; code: ZipRefusal; means: string; advice: string }[] = [
  { says: /^CRC32 validation failed/, code: 'crc_mismatch', means: 'its content is damaged', advice: ADVICE },
  { says: /^(Too many|Not enough) bytes/, code: 'size_mismatch', means: 'its size is not as declared', advice: ADVICE },
  { says: /size mismatch for stored/, code: 'size_mismatch', means: 'its sizes contradict each other', advice: ADVICE },
  {
    says: /^Strong encryption/,
    code: 'encrypted_member',
    means: 'a member is encrypted',
    advice: 'Land it without encryption: the bucket encrypts.',
  },
  {
    says: /^Multi-disk/,
    code: 'multi_disk_zip',
    means: 'it is split over several files',
    advice: 'Land one whole zip.',
  },
]

/** Turns what the reader of the zip threw into a refusal. Never give it an error of S3: those are retried. */
export function refusalOf(zipKey: string, error: unknown, member?: string): ZipRefused {
  if (error instanceof ZipRefused) return error
  const found = error instanceof Error ? error.message : String(error)
  const subject = member === undefined ? zipKey : `Member ${shown(member)} of ${zipKey}`
  const { code, means, advice } = MEANINGS.find(({ says }) => says.test(found)) ?? {
    code: 'corrupt_zip' as const,
    means: 'its structure is damaged',
    advice: ADVICE,
  }
  return new ZipRefused(code, `${subject} cannot be read: ${means} (${found.replace(/\.$/, '')}). ${advice}`, member)
}
