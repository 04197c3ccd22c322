import { keyHash } from './ids.ts'
import type { Ledger } from './ledger.ts'
import type { RunRef } from './run.ts'
import type { Item, ItemKey } from './table.ts'

const PK = 'SWEEP'
const DAY_MS = 24 * 3_600_000

/** DynamoDB takes such an item out some days after this. */
const expiresAt = ({ now }: Ledger, days: number) => Math.floor((now().getTime() + days * DAY_MS) / 1000)

/** How far a prefix of the raw zone has been read: from its first key to its last is a pass. Instants, ISO 8601 UTC. */
export type Pass = {
  /** The last key of the page before. */
  after?: string
  /** When this pass began; absent between two. */
  startedAt?: string
  /** It looks at what S3 has dated then or later; absent where it looks at all. */
  since?: string
  /** It also looks at what may have been on its way into the bucket for long. */
  deep?: boolean
  /** Something could not be looked at: the next one looks as far back as this. */
  failed?: boolean
  /** When the last pass that looked at all it should began, and the last deep one. */
  last?: string
  lastDeep?: string
}

const passKey = (prefix: string): ItemKey => ({ pk: PK, sk: `PASS#${prefix}` })

export async function passOf({ table }: Ledger, prefix: string): Promise<Pass> {
  return ((await table.get(passKey(prefix))) ?? {}) as Pass
}

export async function putPass({ table }: Ledger, prefix: string, pass: Pass): Promise<void> {
  await table.write([{ put: { ...passKey(prefix), ...pass } }])
}

/** A version of a key that `unzip` was sent, and when it may be sent it again, in epoch milliseconds. */
export type Sent = { key: string; versionId: string; again: number }

const SENT = 'SENT#'
const sentKey = ({ key, versionId }: Pick<Sent, 'key' | 'versionId'>): ItemKey => ({
  pk: PK,
  sk: `${SENT}${keyHash(key)}#${versionId}`,
})

/** @returns false where it was sent less than `ms` ago */
export async function noteSent({ table, now }: Ledger, key: string, versionId: string, ms: number): Promise<boolean> {
  const at = now().getTime()
  const sent: Sent = { key, versionId, again: at + ms }
  return await table.write([
    { put: { ...sentKey(sent), ...sent }, when: [{ attribute: 'again', is: 'absentOrLess', to: at + 1 }] },
  ])
}

export async function sentOnes({ table }: Ledger): Promise<Sent[]> {
  return (await table.query(PK, SENT)) as unknown as Sent[]
}

export async function forgetSent({ table }: Ledger, sent: Sent): Promise<void> {
  await table.write([{ delete: sentKey(sent), when: [{ attribute: 'again', is: 'equal', to: sent.again }] }])
}

/** When a dead-letter queue was looked into last, and how many messages it had. Epoch milliseconds. */
export type Look = {
  at: number
  waiting: number
  /** Not all could be seen, or judged: it is looked into again at the next sweep. */
  again?: boolean
  /** How many letters are noted. */
  noted: number
}

const LOOK = 'LOOK#'

/** By the queue's name. */
export async function looks({ table }: Ledger): Promise<Map<string, Look>> {
  const items = await table.query(PK, LOOK)
  return new Map(items.map(({ sk, ...look }) => [sk.slice(LOOK.length), look as unknown as Look]))
}

export async function putLook({ table }: Ledger, queue: string, look: Look): Promise<void> {
  await table.write([{ put: { pk: PK, sk: `${LOOK}${queue}`, ...look } }])
}

/** A dead letter that was judged: what it is about is said once, and a run that counts on it is known when it goes. */
export type NotedLetter = {
  id: string
  ref?: RunRef
  /** Epoch milliseconds; since when it is not in its queue any more. */
  missingSince?: number
}

const LETTER = 'LETTER#'
const lettersOf = (queue: string) => `${LETTER}${queue}#`
const letterKey = (queue: string, id: string): ItemKey => ({ pk: PK, sk: `${lettersOf(queue)}${id}` })

export async function notedLetters({ table }: Ledger, queue: string): Promise<NotedLetter[]> {
  const items = await table.query(PK, lettersOf(queue))
  return items.map(({ pk, sk, expiresAt: _, ...noted }) => ({ ...noted, id: sk.slice(lettersOf(queue).length) }))
}

/** Whether another letter of its run, in whichever queue, was there when it was looked for last. */
export async function isNotedElsewhere({ table }: Ledger, { id, ref }: NotedLetter): Promise<boolean> {
  const letters = (await table.query(PK, LETTER)) as unknown as (ItemKey & NotedLetter)[]
  return letters.some(
    ({ sk, ref: other, missingSince }) =>
      !sk.endsWith(`#${id}`) && other?.runId === ref?.runId && missingSince === undefined,
  )
}

/** Longer than SQS keeps a message. */
const LETTER_DAYS = 30

export async function noteLetter(ledger: Ledger, queue: string, { id, ...noted }: NotedLetter): Promise<void> {
  await ledger.table.write([{ put: { ...letterKey(queue, id), ...noted, expiresAt: expiresAt(ledger, LETTER_DAYS) } }])
}

export async function forgetLetter({ table }: Ledger, queue: string, id: string): Promise<void> {
  await table.write([{ delete: letterKey(queue, id) }])
}

/** When a table was last compared with the delivery zone though nobody had told of a change. Epoch milliseconds. */
const comparedKey = (dataset: string): ItemKey => ({ pk: PK, sk: `COMPARED#${dataset}` })

export async function comparedAt({ table }: Ledger, dataset: string): Promise<number | undefined> {
  const at = (await table.get(comparedKey(dataset)))?.at
  return typeof at === 'number' ? at : undefined
}

export async function noteCompared({ table, now }: Ledger, dataset: string): Promise<void> {
  await table.write([{ put: { ...comparedKey(dataset), at: now().getTime() } }])
}

/** Something that the sweep has put right, or found that nobody but a person can. `at`: ISO 8601 UTC. */
export type Mend = { at: string; dataset: string; stage: string; did: string; key?: string; runId?: string }

const MENDS = 'MENDS'
const MEND = 'MEND#'
const MEND_DAYS = 3
/** Counts down, so that the newest come first. */
const countdown = (at: string) => String(10 ** 14 - Date.parse(at)).padStart(14, '0')

export async function noteMends(ledger: Ledger, mends: Omit<Mend, 'at'>[]): Promise<void> {
  const at = ledger.instant()
  const items: Item[] = mends.map((mend, i) => ({
    pk: MENDS,
    sk: `${MEND}${countdown(at)}#${String(i).padStart(4, '0')}`,
    ...mend,
    at,
    expiresAt: expiresAt(ledger, MEND_DAYS),
  }))
  for (const put of items) await ledger.table.write([{ put }])
}

/** Newest first, at most so many. */
export async function mends({ table }: Ledger, most: number): Promise<Mend[]> {
  const items = await table.query(MENDS, MEND, most)
  return items.map(({ pk, sk, expiresAt: _, ...mend }) => mend as unknown as Mend)
}
