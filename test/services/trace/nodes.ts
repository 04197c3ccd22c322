import { expect } from 'vitest'
import type { Segment, Subsegment } from '../../../services/trace/segments.ts'

/** Of a trace: a segment, or a part of one. */
export type Node = Segment | Subsegment
const within = ({ subsegments = [] }: Node): Node[] => subsegments.flatMap((each) => [each, ...within(each)])
/** Each segment with all that is below it. */
export const all = (trace: Segment[]): Node[] => trace.flatMap((segment) => [segment, ...within(segment)])
export const end = ({ start_time, end_time }: Node) => end_time ?? expect.fail(`no end of what began at ${start_time}`)

/** Seconds of `of` that lie in at least one of these. */
export function covered(of: Node, nodes: Node[]): number {
  let seconds = 0
  let last = of.start_time
  for (const { from, to } of nodes
    .map((node) => ({ from: node.start_time, to: end(node) }))
    .sort((a, b) => a.from - b.from)) {
    seconds += Math.max(0, to - Math.max(from, last))
    last = Math.max(last, to)
  }
  return seconds
}
