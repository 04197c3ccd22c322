import { CrawlEnded } from '../../../events/crawl-ended.ts'
import { JobEnded } from '../../../events/job-ended.ts'
import { RerunAsked } from '../../../events/rerun-asked.ts'
import type { DeadLetter } from '../../../services/letters/dead-letters.ts'
import type { Message } from './world.ts'

export function bodyOf(message: Message): string {
  if (message.kind === 'object') return JSON.stringify(message.event)
  if (message.kind === 'crawl') return JSON.stringify(CrawlEnded.sample('crawler'))
  if (message.kind === 'rerun') {
    const { bucket, key, cause, filter } = message.arrival
    return JSON.stringify({ ...RerunAsked.sample(bucket, key), detail: { bucket, key, rerun: cause, ...filter } })
  }
  const sample = JobEnded.sample(message.to)
  return JSON.stringify({ ...sample, detail: { ...sample.detail, jobRunId: message.id } })
}

const ids = new WeakMap<Message, string>()
let lastId = 0

/** A message that was given up, as SQS shows it. */
export function letterOf(message: Message, now: Date): DeadLetter {
  const id = ids.get(message) ?? `letter-${++lastId}`
  ids.set(message, id)
  return { id, body: bodyOf(message), sentAt: now.toISOString(), receives: message.receives }
}
