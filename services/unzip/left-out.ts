import pMap from 'p-map'
import type { PublishDeps } from '../jobs/publish.ts'
import { LIVE } from '../ledger/causes.ts'
import { landedSince } from '../ledger/endings.ts'
import type { Head, MemberLine, Run } from '../ledger/run.ts'

export type LeftOut = { member: MemberLine; reason: 'withdrawn' | 'landed by itself since' }
export type Judge = (members: MemberLine[]) => Promise<LeftOut[]>

/**
 * Members that a replay or rerun leaves alone: those whose rows a person wants no more, and those that have landed by themselves
 * since, whose newer rows it would replace. A zip that has just landed brings both back; so does a rerun of one that nobody could
 * extract, but for what was withdrawn after it landed. So does a redriven message of such a zip.
 */
export async function notToBeExtracted(
  { ledger, objects, rawBucket }: Pick<PublishDeps, 'ledger' | 'objects' | 'rawBucket'>,
  run: Run,
  members: MemberLine[],
  { again, isNewest }: { again: boolean; isNewest: boolean },
): Promise<LeftOut[]> {
  // While the newest has not failed, no member of it can be withdrawn.
  if (run.cause === LIVE && run.state !== 'failed' && isNewest) return []
  const judged = await pMap(
    members,
    async (member): Promise<LeftOut | undefined> => {
      const head = await ledger.head({ dataset: run.dataset, sourceId: member.sourceId })
      if (head && isWithdrawnSince(head, run)) return { member, reason: 'withdrawn' }
      if (!again) return undefined
      const current = await objects.head(rawBucket, member.key)
      // Without a version it is what a crash of an extraction left.
      const ours = !current || !member.versionId || current.versionId === member.versionId
      return ours ? undefined : { member, reason: 'landed by itself since' }
    },
    { concurrency: 16 },
  )
  return judged.flatMap((one) => one ?? [])
}

/** A zip's own run was registered before or after, by whatever clocks; a replay or rerun of it, always after. */
function isWithdrawnSince({ withdrawnAt, withdrawnZipSeq = 0 }: Head, run: Run): boolean {
  if (withdrawnAt === undefined) return false
  return run.cause === LIVE ? run.seq <= withdrawnZipSeq : !landedSince(run, withdrawnAt)
}
