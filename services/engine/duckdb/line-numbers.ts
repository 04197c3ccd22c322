/** Which line of the source a line of the clean file was: it lacks the header, blank lines and lines that are no records. */
export class LineNumbers {
  readonly #ordinals: number[] = []
  readonly #lines: number[] = []

  /** From the clean file's line `ordinal` (from 1) on, the source's line is `line` and counts along. */
  gap(ordinal: number, line: number): void {
    if (this.#ordinals.at(-1) === ordinal) this.#lines[this.#lines.length - 1] = line
    else {
      this.#ordinals.push(ordinal)
      this.#lines.push(line)
    }
  }

  of(ordinal: number): number {
    let low = 0
    let high = this.#ordinals.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#ordinals[middle] ?? 0) <= ordinal) low = middle + 1
      else high = middle
    }
    return (this.#lines[low - 1] ?? 1) + ordinal - (this.#ordinals[low - 1] ?? 1)
  }
}
