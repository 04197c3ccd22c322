import pMap from 'p-map'
import { type MemberLine, type SkippedLine, type SourceRef, sourcePk } from './run.ts'
import type { Item, ItemKey, Table } from './table.ts'

/** What a zip's run, or its head, says of its members. */
export type Lines = { members?: MemberLine[]; skipped?: SkippedLine[] }

/** More of them are kept in items of their own: DynamoDB takes 400 KB in one, and a thousand members may be 4 MB. */
const INLINE_BYTES = 32 * 1024
const PAGE_BYTES = 256 * 1024

/** In the place of the lines: where they are. A page's items are written before anything names them, and never changed after. */
type Ref = { list: string; pages: number }
type Line = { member: MemberLine } | { skipped: SkippedLine }

const prefixOf = (list: string) => `LINES#${list}#`
const pageKey = (source: SourceRef, list: string, page: number): ItemKey => ({
  pk: sourcePk(source),
  sk: `${prefixOf(list)}${String(page).padStart(5, '0')}`,
})

/**
 * Keeps lines for an item of a source, in pages if they are many.
 * @param list a name of their own among the source's
 * @returns what the item is to be given, and what is to be taken from it
 */
export async function keepLines(
  table: Table,
  source: SourceRef,
  list: string,
  lines: Lines,
): Promise<{ set: Record<string, unknown>; remove: string[] }> {
  const all: Line[] = [
    ...(lines.members ?? []).map((member) => ({ member })),
    ...(lines.skipped ?? []).map((skipped) => ({ skipped })),
  ]
  const pages = paged(all)
  if (pages.length === 0) return { set: { ...lines }, remove: ['lines'] }
  await pMap(pages, (page, i) => table.write([{ put: { ...pageKey(source, list, i), page } }]), { concurrency: 8 })
  const ref: Ref = { list, pages: pages.length }
  return { set: { lines: ref }, remove: Object.keys(lines) }
}

/** None where all fit into the item itself. */
function paged(lines: Line[]): Line[][] {
  const pages: Line[][] = []
  let [all, inPage] = [0, 0]
  for (const line of lines) {
    const bytes = Buffer.byteLength(JSON.stringify(line))
    const page = pages.at(-1)
    if (page && inPage + bytes <= PAGE_BYTES) page.push(line)
    else pages.push([line])
    inPage = page && inPage + bytes <= PAGE_BYTES ? inPage + bytes : bytes
    all += bytes
  }
  return all <= INLINE_BYTES ? [] : pages
}

/** An item with its lines in it, wherever they are. Undefined when they were replaced since it was read: then it is to be read again. */
export async function withLines(table: Table, item: Item): Promise<Item | undefined> {
  const { lines, ...rest } = item
  if (lines === undefined) return item
  const { list, pages } = lines as Ref
  const found = await table.query(item.pk, prefixOf(list), pages)
  if (found.length < pages) return undefined
  const all = found.flatMap(({ page }) => page as Line[])
  const members = all.flatMap((line) => ('member' in line ? line.member : []))
  const skipped = all.flatMap((line) => ('skipped' in line ? line.skipped : []))
  const isRun = item.sk !== 'HEAD'
  return { ...rest, pk: item.pk, sk: item.sk, members, ...(isRun && { skipped }) }
}

/** Takes out the lists that begin so, but for one: nothing names them any more. */
export async function forgetLines(table: Table, source: SourceRef, begin: string, keep: string): Promise<void> {
  const known = await table.query(sourcePk(source), `LINES#${begin}`)
  const stale = known.filter(({ sk }) => !sk.startsWith(prefixOf(keep)))
  await pMap(stale, ({ pk, sk }) => table.write([{ delete: { pk, sk } }]), { concurrency: 8 })
}
