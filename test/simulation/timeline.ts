/** One thing that happened to a source: it landed, good or not, or was taken out. */
type Entry = {
  /** Good rows; null where nothing of it may be taken; none where it was taken out. */
  rows: string[] | null
  /** The one before it may be the later one, as far as anybody can know. */
  orBefore?: boolean
  /** It came out of a zip, or was lacking in one. */
  byZip?: 'member' | 'lacking'
  /** Whether it was in the table, or out of it, when the next one came: asked then, once. */
  isIn: () => boolean
  wasIn?: boolean
  /** The rows of what kills its job until somebody mends that. */
  poisoned?: string[]
}

/**
 * What the promises say the table may be: of each source the rows of its latest good version, unless it was taken out. A good
 * version that nobody had looked at when one came that is refused need not have been in the table: both are right then.
 */
export class Timeline {
  readonly #sources = new Map<string, Entry[]>()
  readonly #keyOf = new Map<string, string>()

  add(key: string, entry: Omit<Entry, 'wasIn'>): void {
    const entries = this.#sources.get(key) ?? []
    this.#sources.set(key, entries)
    const before = entries.at(-1)
    if (before) before.wasIn = before.isIn()
    for (const row of entry.rows ?? []) this.#keyOf.set(row, key)
    entries.push({ ...entry })
  }

  /** What killed its job is good from now on, where nothing that came after it is surely in the table instead. */
  mend(): void {
    for (const [key, entries] of this.#sources)
      for (const entry of this.#candidates(entries).may) {
        if (!entry.poisoned) continue
        entry.rows = entry.poisoned
        for (const row of entry.poisoned) this.#keyOf.set(row, key)
      }
  }

  /**
   * What may be in the table: down to what surely took the place of all before it. `isSure` where there is such. What came out of
   * a zip before one that lacks it is not among it, whoever was at work on either.
   */
  #candidates(entries: Entry[]): { may: Entry[]; isSure: boolean } {
    const stands = ({ wasIn = true }: Entry, i: number) => i === entries.length - 1 || wasIn
    const sure = entries.findLastIndex((entry, i) => entry.rows !== null && !entry.orBefore && stands(entry, i))
    const lacking = entries.findLastIndex((entry, i) => entry.byZip === 'lacking' && stands(entry, i))
    const may = entries.filter((entry, i) => i >= sure && !(i < lacking && entry.byZip === 'member'))
    return { may, isSure: sure >= 0 }
  }

  keys = (): string[] => [...this.#sources.keys()]
  newest = (key: string): Entry | undefined => this.#sources.get(key)?.at(-1)

  /** All that the rows of a source may be in the end, each as one text. */
  mayBe(key: string): Set<string> {
    const { may, isSure } = this.#candidates(this.#sources.get(key) ?? [])
    const texts = new Set(may.flatMap(({ rows }) => (rows === null ? [] : textOf(rows))))
    return isSure ? texts : texts.add('')
  }

  /** @returns what is wrong with a table of these rows, in words */
  wrong(table: string[]): string[] {
    const found = new Map<string, string[]>()
    for (const row of table) {
      const key = this.#keyOf.get(row) ?? 'no file'
      found.set(key, [...(found.get(key) ?? []), row])
    }
    return [...new Set([...this.keys(), ...found.keys()])].flatMap((key) => {
      const rows = textOf(found.get(key) ?? [])
      const may = this.mayBe(key)
      return may.has(rows)
        ? []
        : `${key} has the rows ${rows || 'none'}; it may have ${[...may].map((each) => each || 'none').join(' or ')}`
    })
  }
}

const textOf = (rows: string[]) => [...rows].sort().join(' ')
