/** Each one's part of what all of them cost together, by bytes of input; equal parts where none has any. They sum to one. */
export function sharesOf(items: { bytes: number }[]): number[] {
  const all = items.reduce((sum, { bytes }) => sum + bytes, 0)
  return items.map(({ bytes }) => (all > 0 ? bytes / all : 1 / items.length))
}
