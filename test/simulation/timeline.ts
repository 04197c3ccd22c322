/** One thing that happened to a source: it landed, good or not, or was taken out. */
type Entry = {
  /** Good rows; null where nothing of it may be taken; none where it was taken out. */
  rows: string[] | null
  /** The one before it may be the later one, as far as anybody can know. */
  orBefore?: boolean
  /** Whether it was in the table, or out of it, when the next one came: asked then, once. */
  isIn: () => boolean
  wasIn?: boolean
  /** The rows of what kills its job until somebody mends that. */
  poisoned?: string[]
  /** Of a zip that could not be read: it changed nothing. */
  isVain?: boolean
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

  /** What killed its job until the cause was mended is good by then, if nothing came after it but zips that could not be read. */
  mend(): void {
    for (const [key, entries] of this.#sources) {
      const at = entries.findLastIndex(({ isVain }) => !isVain)
      const last = entries[at]
      if (!last?.poisoned) continue
      last.rows = last.poisoned
      for (const row of last.poisoned) this.#keyOf.set(row, key)
    }
  }

  keys = (): string[] => [...this.#sources.keys()]
  newest = (key: string): Entry | undefined => this.#sources.get(key)?.at(-1)

  /** All that the rows of a source may be in the end, each as one text. */
  mayBe(key: string): Set<string> {
    const entries = this.#sources.get(key) ?? []
    const may = new Set<string>()
    for (let i = entries.length - 1; i >= 0; i--) {
      const { rows, orBefore, wasIn = true } = entries[i] as Entry
      if (rows !== null) may.add(textOf(rows))
      const isNewest = i === entries.length - 1
      if (rows !== null && !orBefore && (isNewest || wasIn)) return may
    }
    return may.add('')
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
