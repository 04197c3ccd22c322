import type { OverdueFile } from '../ledger/expected.ts'

const minute = (instant: string) => `${instant.slice(0, 16).replace('T', ' ')} UTC`
const count = (n: number) => n.toLocaleString('en-US')

function duration(ms: number): string {
  const minutes = Math.round(ms / 60_000)
  if (minutes < 120) return `${minutes} minutes`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} hours` : `${Math.round(hours / 24)} days`
}

/** What an overdue file is, in words for who waits for it. */
export function overdueWords({
  dataset,
  due,
  deadline,
  cron,
  prefix,
  leastBytes,
  found,
  cleared,
}: OverdueFile): string {
  const which = `The file of ${dataset}${prefix ? ` (${prefix}…)` : ''} that was due at ${minute(due)} (cron "${cron}")`
  if (cleared)
    return `${which} came late, by ${duration(cleared.lateMs)}: ${cleared.key} has ${count(cleared.bytes)} bytes.`
  const what = found
    ? `is implausibly small: ${found.key} has ${count(found.bytes)} bytes, expected at least ${count(leastBytes)}`
    : `has not come: nothing landed until ${minute(deadline)}, when its grace was over`
  return `${which} ${what}. Ask whoever sends it, and land it when it is there; RUNBOOK.md#overdue-files.`
}
