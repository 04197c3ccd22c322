import { closeSync, openSync, readSync } from 'node:fs'
import { BYTE_ORDER_MARK } from './sql.ts'

const WINDOW = 1 << 20

/** What a line in the file of odd lines begins with. */
export interface Place {
  /** Its number in the source. */
  line: number
  /** Where in this file the line begins. */
  byte: number
  /** Bytes of the record. */
  size: number
}

const prefix = ({ line, byte, size }: Place, delimiter: string) => [line, byte, size, ''].join(delimiter)

/** Records of which some value is not canonical, on their way to a file of their own. */
export class OddLines {
  /** Lines of this file so far. */
  lines = 0
  readonly #delimiter: string
  #pending = Buffer.allocUnsafe(1 << 16)
  #filled = 0
  /** Bytes of the file that are written already. */
  #written = BYTE_ORDER_MARK.length

  constructor(delimiter: string) {
    this.#delimiter = delimiter
  }

  add(line: number, record: Buffer): void {
    const before = prefix({ line, byte: this.#written + this.#filled, size: record.length }, this.#delimiter)
    const size = before.length + record.length + 1
    if (this.#filled + size > this.#pending.length) {
      const larger = Buffer.allocUnsafe(2 * (this.#filled + size))
      this.#pending.copy(larger, 0, 0, this.#filled)
      this.#pending = larger
    }
    const text = this.#filled + this.#pending.write(before, this.#filled, 'latin1')
    const end = text + record.copy(this.#pending, text)
    this.#pending[end] = 10
    this.#filled = end + 1
    this.lines += 1
  }

  /** What is to be written to the file; valid until the next line is added. */
  take(): Buffer {
    const taken = this.#pending.subarray(0, this.#filled)
    this.#written += this.#filled
    this.#filled = 0
    return taken
  }

  /** From here on, lines are of another file. */
  begin(): void {
    this.lines = 0
    this.#filled = 0
    this.#written = BYTE_ORDER_MARK.length
  }
}

/** Reads lines of such a file by their places, with one window in memory. Places that rise cost fewest reads. */
export class OddLineReader {
  readonly #file: number
  readonly #delimiter: string
  #window = Buffer.alloc(0)
  #from = 0

  constructor(file: string, delimiter: string) {
    this.#file = openSync(file, 'r')
    this.#delimiter = delimiter
  }
  close(): void {
    closeSync(this.#file)
  }

  /** The text of a line as it is in the source. */
  text(place: Place): string {
    const from = place.byte + prefix(place, this.#delimiter).length
    if (from < this.#from || from + place.size > this.#from + this.#window.length) this.#read(from, place.size)
    return this.#window.toString('utf8', from - this.#from, from - this.#from + place.size)
  }

  #read(from: number, size: number): void {
    const window = Buffer.allocUnsafe(Math.max(WINDOW, size))
    const filled = readSync(this.#file, window, 0, window.length, from)
    if (filled < size) throw new Error(`The file of odd lines ends at ${from + filled}, within a line.`)
    this.#window = window.subarray(0, filled)
    this.#from = from
  }
}
