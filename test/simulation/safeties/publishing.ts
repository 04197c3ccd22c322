import type { Mutation } from '../mutations.ts'

/** How rows get into the zones, and out of them. */
export const PUBLISHING: Mutation[] = [
  {
    name: "a source's lock is not looked at",
    file: 'services/jobs/publish.ts',
    from: "        { attribute: 'lockUntil', is: 'absentOrLess', to: now },\n",
    to: '',
  },
  {
    name: 'what is copied need not match its ETag',
    file: 'services/jobs/objects.ts',
    from: '          CopySourceIfMatch: from.etag,\n          // Copying tags',
    to: '          // Copying tags',
  },
  {
    name: 'not the last registered run wins, but the last that publishes',
    file: 'services/jobs/publish.ts',
    from: 'if (published !== undefined && published > seq)',
    to: 'if (published !== undefined && published > Number.POSITIVE_INFINITY)',
  },
  {
    name: 'a version that is not current publishes',
    file: 'services/jobs/publish.ts',
    from: 'if (current.versionId !== run.versionId) return',
    to: 'if (current.versionId === undefined) return',
    behind: ['not the last registered run wins, but the last that publishes'],
  },
  {
    name: 'a source that is gone publishes',
    file: 'services/jobs/publish.ts',
    from: 'if (!current) return `',
    to: 'if (!current) return undefined && `',
  },
  {
    name: 'the keys are not listed before the first copy',
    file: 'services/jobs/publish.ts',
    from: 'await ledger.table.write([{ put: { pk: sourcePk(run), sk, keys: keys.slice(i, i + KEYS_PER_ITEM) } }])',
    to: 'void sk',
  },
  {
    name: 'what was begun is not finished',
    file: 'services/jobs/publish.ts',
    from: 'const begun = await hasBegun(ledger, run, publication)',
    to: 'const begun = false && (await hasBegun(ledger, run, publication))',
  },
  {
    name: "the predecessor's objects stay",
    file: 'services/jobs/publish.ts',
    from: 'if (stale.length > 0) await objects.remove(bucket, stale)',
    to: 'if (stale.length < 0) await objects.remove(bucket, stale)',
  },
  {
    name: 'a withdrawal does not stop runs that are registered',
    file: 'services/jobs/publish.ts',
    from: 'set: { processingSeq: head.seq, deliverySeq: head.seq, ...(mark',
    to: 'set: { ...(mark',
    behind: ['a source that is gone publishes'],
  },
  {
    name: 'a withdrawal marks what has landed since',
    file: 'services/jobs/publish.ts',
    from: 'when: [...stillLocked(lock.owner), ...sameSeq]',
    to: 'when: [...stillLocked(lock.owner)]',
    behind: ['whoever slept over the end of its lock goes on', 'who has lost the lock tells the ledger all the same'],
  },
]
