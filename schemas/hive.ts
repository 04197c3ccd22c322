/** The folder of rows whose partition value is null or empty. */
export const HIVE_DEFAULT_PARTITION = '__HIVE_DEFAULT_PARTITION__'

// The character set of Spark's ExternalCatalogUtils.escapePathName.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it escapes.
const UNSAFE = /[\u0001-\u001f"#%'*/:=?\\\u007f{[\]^]/g

/** A partition value as Spark and Hive write it into a path: `Cote d'Ivoire` is `Cote d%27Ivoire`. */
export function escapePartition(value: string | null): string {
  if (value === null || value === '') return HIVE_DEFAULT_PARTITION
  return value.replace(UNSAFE, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}

/** The value that a path segment stands for; null for the default partition. A `%` that escapes nothing is kept. */
export function unescapePartition(segment: string): string | null {
  if (segment === HIVE_DEFAULT_PARTITION) return null
  return segment.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** The folder of a partition value under the table's: `COUNTRY=Cote d%27Ivoire`. */
export const partitionFolder = (partitionBy: string, value: string | null): string =>
  `${partitionBy}=${escapePartition(value)}`

/** The value as the catalog holds it, for a folder such as `COUNTRY=Cote d%27Ivoire`: the catalog has no null, it keeps the default's name. */
export function partitionOfFolder(folder: string): string | null {
  const at = folder.indexOf('=')
  if (at < 0) return null
  return unescapePartition(folder.slice(at + 1)) ?? HIVE_DEFAULT_PARTITION
}
