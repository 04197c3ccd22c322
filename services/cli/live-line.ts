/** Milliseconds between two lines where none can be drawn again. */
const SAID_EVERY_MS = 5_000

type Stream = { isTTY?: boolean; columns?: number; write: (text: string) => unknown }

/** Progress that changes: on a terminal one line that is drawn again, elsewhere a line now and then, and only with news. */
export function liveLine(stream: Stream = process.stderr, now = () => performance.now()) {
  const since = now()
  let text = ''
  let saidAt = Number.NEGATIVE_INFINITY
  return {
    show(news: string): void {
      const at = now()
      const line = `${((at - since) / 1000).toFixed(1).padStart(6)} s  ${news}`
      if (stream.isTTY) {
        // A line longer than the terminal is wide would stay behind each time.
        stream.write(`\r${line.slice(0, (stream.columns || 80) - 1)}\x1b[K`)
        text = news
      } else if (news !== text && at - saidAt >= SAID_EVERY_MS) {
        stream.write(`${line}\n`)
        text = news
        saidAt = at
      }
    },
    /** What is written next begins a line of its own. */
    end(): void {
      if (stream.isTTY && text !== '') stream.write('\n')
      text = ''
    },
  }
}
