import { createHash } from 'node:crypto'
import { keyHash } from './ids.ts'
import type { Ledger } from './ledger.ts'
import { type Head, hasEnded, type Landed, type Run, type SourceRef, staysQueued } from './run.ts'
import type { ItemKey, Write } from './table.ts'

/** What is known of an object's bytes without reading them. */
export type Content = {
  etag: string
  bytes: number
  /** Of the whole object, where S3 keeps one. */
  crc64?: string
}

/** What a file gets whose bytes have landed under another name. */
export type SameContent = 'warn' | 'refuse'

/** What is known of a CSV's bytes, and what it gets if another source has landed the same. */
export type SameBytes = { prints: string[]; mode: SameContent }

/** One source that landed some bytes. */
export type Holder = Pick<Run, 'sourceId' | 'runId' | 'key' | 'versionId' | 'landedAt'>

/** Of so many sources with the same bytes the later ones are compared with. */
const HOLDERS = 10

/**
 * What two objects of the same bytes have in common, however they were uploaded. An MD5 (of one PUT) is brought into the form
 * that an upload in one part has; in several parts of the same size, the ETags are the same. Where the uploader encrypted with
 * a key of its own, ETags say nothing: there, as between parts of other sizes, only S3's checksum tells.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
 */
export function fingerprintsOf({ etag, bytes, crc64 }: Content): string[] {
  const prints: string[] = []
  if (/^[0-9a-f]{32}$/.test(etag))
    prints.push(`${bytes}#${createHash('md5').update(Buffer.from(etag, 'hex')).digest('hex')}-1`)
  else if (etag !== '') prints.push(`${bytes}#${etag}`)
  if (crc64 !== undefined) prints.push(`${bytes}#crc64#${crc64}`)
  return prints
}

const contentKey = (dataset: string, print: string): ItemKey => ({
  pk: `CONTENT#${dataset}#${keyHash(print)}`,
  sk: 'HOLDERS',
})

export type Judged = {
  /** The first of the other sources whose rows of the same bytes are in the table, or on their way. */
  twin?: Holder
  /** With the run, all or nothing: of two that land at once, one is the first. */
  writes: Write[]
}

/**
 * Looks for another source of the same bytes.
 * @param mine whose bytes they are; one that is not to be refused is entered as a holder of them
 */
export async function judgeContent(
  ledger: Ledger,
  mine: Holder & SourceRef,
  prints: string[],
  mode: SameContent,
): Promise<Judged> {
  const found = await Promise.all(
    prints.map(async (print) => {
      const key = contentKey(mine.dataset, print)
      const item = await ledger.table.get(key)
      const holders = (item?.holders ?? []) as Holder[]
      const others = holders.filter(({ sourceId }) => sourceId !== mine.sourceId)
      return { key, rev: item?.rev as number | undefined, held: await stillHeld(ledger, mine.dataset, others) }
    }),
  )
  const twin = found.find(({ held }) => held.length > 0)?.held[0]
  if (twin && mode === 'refuse') return { twin, writes: [] }
  const { sourceId, runId, key, versionId, landedAt } = mine
  const writes = found.map(({ key: at, rev, held }): Write => {
    const holders = [...held.slice(0, HOLDERS - 1), { sourceId, runId, key, versionId, landedAt }]
    return {
      put: { ...at, rev: (rev ?? 0) + 1, holders },
      when: [rev === undefined ? { attribute: 'pk', is: 'absent' } : { attribute: 'rev', is: 'equal', to: rev }],
    }
  })
  return { ...(twin && { twin }), writes }
}

/** From the first one on that holds them still: those behind it need not be looked at. */
async function stillHeld(ledger: Ledger, dataset: string, holders: Holder[]): Promise<Holder[]> {
  for (const [i, holder] of holders.entries()) if (await holds(ledger, dataset, holder)) return holders.slice(i)
  return []
}

/** Whether the table has rows of these bytes by this source, or will have. */
async function holds(ledger: Ledger, dataset: string, { sourceId, runId, versionId }: Holder): Promise<boolean> {
  const source = { dataset, sourceId }
  const head = await ledger.head(source)
  if (!head) return false
  if (await hasRowsOf(ledger, source, head, versionId)) return true
  // Withdrawn, or another version has landed, whose rows are to be there instead.
  if (head.withdrawnAt !== undefined || head.contentVersion !== versionId) return false
  const run = await ledger.run({ ...source, runId })
  return run !== undefined && (!hasEnded(run.state) || waits(run))
}

/** Also by a replay or rerun of that version. */
async function hasRowsOf(ledger: Ledger, source: SourceRef, { deliveryRun }: Head, versionId: string) {
  return deliveryRun !== undefined && (await ledger.run({ ...source, runId: deliveryRun }))?.versionId === versionId
}

/** Failed for now: its rows come when the cause is mended. */
const waits = (run: Run) =>
  staysQueued(run, 'convert') || staysQueued(run, 'partition') || run.problem?.code === 'catalog_refused'

export const sameContent = (key: string, twin: Holder): { state: 'refused'; problem: Run['problem'] & object } => ({
  state: 'refused',
  problem: {
    code: 'same_content',
    message: `${key} has the same bytes as ${twin.key}, which landed at ${twin.landedAt} (run ${twin.runId.slice(0, 8)}) and whose rows are in the table or on their way: taken in, each row would be there twice. If this is the right name, withdraw ${twin.key} first and land this again; if both are right, have the contract say "sameContent": "warn" or "allow".`,
  },
})

export const holderOf = ({ key, versionId, landedAt }: Landed, { sourceId, runId }: Pick<Run, 'sourceId' | 'runId'>) =>
  ({ sourceId, runId, key, versionId, landedAt }) satisfies Holder
