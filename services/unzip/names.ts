import { shown, type ZipRefusal } from './refusals.ts'

/** Why a name cannot become a key; the message names the member, not the zip. */
export type NameRefusal = { code: ZipRefusal; message: string }

/**
 * The key of a member, relative to its zip's folder: folders stay, blanks become `_`, and what only spells the same
 * path differently (`./a`, `a//b`, a Mac's decomposed accents) becomes one spelling, so that collisions show.
 * @returns the key, or why there is none: a name that could mean another place than it seems to is refused, not mended.
 */
export function memberKey(name: string): string | NameRefusal {
  const reason = unsafe(name)
  if (reason !== undefined) {
    return { code: 'unsafe_name', message: `member ${shown(name)} ${reason}. Rename it and land the zip again.` }
  }
  return name
    .normalize('NFC')
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.')
    .join('/')
    .replaceAll(/\s/gu, '_')
}

function unsafe(name: string): string | undefined {
  if (name === '') return 'has an empty name'
  if (name.startsWith('/') || /^[a-z]:/i.test(name)) return 'has an absolute path'
  if (name.includes('\\')) return 'has a backslash in its name'
  if (/\p{Cc}/u.test(name)) return 'has a control character in its name'
  if (name.includes('\uFFFD')) return 'has a name that is not the encoding that it claims (UTF-8)'
  // Blanks around the dots are cleaned away later, so they must not hide a climb.
  if (name.split('/').some((segment) => segment.trim() === '..')) return 'climbs out of the archive ("..")'
  return undefined
}

/**
 * Why a member is left out, or undefined for a CSV. Asked only for names that are safe.
 * A directory is not asked about: it holds nothing, so it is neither extracted nor skipped.
 */
export function skipReason(name: string): string | undefined {
  const segments = name.split('/').filter((segment) => segment !== '.')
  if (segments[0] === '__MACOSX') return 'macOS metadata'
  if (segments.some((segment) => segment.startsWith('.'))) return 'hidden file'
  return /\.csv$/i.test(name) ? undefined : 'not a CSV'
}
