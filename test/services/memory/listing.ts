import { type Listing, type Range, runOf } from '../../../services/ledger/listing.ts'
import type { MemoryTable } from './table.ts'

/** The ledger's index by time, over the same items; it counts what is taken from it. */
export class MemoryListing implements Listing {
  taken = 0
  readonly #table: MemoryTable

  constructor(table: MemoryTable) {
    this.#table = table
  }

  async *newest({ from = '0', before = '~' }: Range = {}) {
    const items = [...this.#table.items.values()]
      .filter(({ listing, listedAt }) => listing === 'run' && String(listedAt) >= from && String(listedAt) < before)
      .sort((a, b) => (String(a.listedAt) < String(b.listedAt) ? 1 : -1))
    for (const item of items) {
      this.taken++
      yield runOf(structuredClone(item))
    }
  }
}
