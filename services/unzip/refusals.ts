import { Refused } from '../lambda/errors.ts'

/** Why a zip is refused. */
export const ZIP_REFUSALS = [
  'not_a_zip',
  'truncated_zip',
  'multi_disk_zip',
  'directory_mismatch',
  'unlisted_data',
  'overlapping_members',
  'headers_disagree',
  'corrupt_member',
  'crc_mismatch',
  'size_mismatch',
  'encrypted_member',
  'unsupported_compression',
  'unsafe_name',
  'name_collision',
  'folder_with_data',
  'too_many_members',
  'too_large',
  'too_long',
  'ratio_too_high',
  'no_csv_member',
] as const
export type ZipRefusal = (typeof ZIP_REFUSALS)[number]

/**
 * What one member alone is at fault for: a contract may have it skipped. All else means that what the zip says of itself
 * cannot be relied on, or that it is too much.
 */
const OF_A_MEMBER: readonly ZipRefusal[] = [
  'corrupt_member',
  'crc_mismatch',
  'size_mismatch',
  'encrypted_member',
  'unsupported_compression',
  'unsafe_name',
  'name_collision',
  'folder_with_data',
]

/** The zip's fault: nothing of it is in the raw zone, and landing it again as it is would end the same way. */
export class ZipRefused extends Refused {
  declare readonly code: ZipRefusal
  /** As the zip names it, where one member is at fault. */
  readonly member: string | undefined

  constructor(code: ZipRefusal, message: string, member?: string) {
    super(code, message)
    this.member = member
  }

  get isOfMember(): boolean {
    return OF_A_MEMBER.includes(this.code)
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
