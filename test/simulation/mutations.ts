/** One safety switched off: `from` becomes `to`, in one place of one file. */
export type Mutation = { name: string; file: string; from: string; to: string }

const JOBS = 'services/jobs'
const LEDGER = 'services/ledger'

/** Each must make the simulation fail, or nothing shows that the safety is needed. */
export const MUTATIONS: Mutation[] = [
  {
    name: "a source's lock is not looked at",
    file: `${JOBS}/publish.ts`,
    from: "        { attribute: 'lockUntil', is: 'absentOrLess', to: now },\n",
    to: '',
  },
  {
    name: 'who has lost the lock tells the ledger all the same',
    file: `${JOBS}/publish.ts`,
    from: "[{ attribute: 'lockOwner', is: 'equal', to: owner }]\n\n/** What one version",
    to: '[]\n\n/** What one version',
  },
  {
    name: 'what is copied need not match its ETag',
    file: `${JOBS}/objects.ts`,
    from: '          CopySourceIfMatch: from.etag,\n          // Copying tags',
    to: '          // Copying tags',
  },
  {
    name: 'not the last registered run wins, but the last that publishes',
    file: `${JOBS}/publish.ts`,
    from: 'if (published !== undefined && published > seq)',
    to: 'if (published !== undefined && published > Number.POSITIVE_INFINITY)',
  },
  {
    name: 'a version that is not current publishes',
    file: `${JOBS}/publish.ts`,
    from: 'if (current.versionId !== run.versionId) return',
    to: 'if (current.versionId === undefined) return',
  },
  {
    name: 'a source that is gone publishes',
    file: `${JOBS}/publish.ts`,
    from: 'if (!current) return `',
    to: 'if (!current) return undefined && `',
  },
  {
    name: 'the keys are not listed before the first copy',
    file: `${JOBS}/publish.ts`,
    from: 'await ledger.table.write([{ put: { pk: sourcePk(run), sk, keys: keys.slice(i, i + KEYS_PER_ITEM) } }])',
    to: 'void sk',
  },
  {
    name: 'what was begun is not finished',
    file: `${JOBS}/publish.ts`,
    from: 'const begun = await hasBegun(ledger, run, publication)',
    to: 'const begun = false && (await hasBegun(ledger, run, publication))',
  },
  {
    name: "the predecessor's objects stay",
    file: `${JOBS}/publish.ts`,
    from: 'if (stale.length > 0) await objects.remove(bucket, stale)',
    to: 'if (stale.length < 0) await objects.remove(bucket, stale)',
  },
  {
    name: 'a withdrawal does not stop runs that are registered',
    file: `${JOBS}/publish.ts`,
    from: 'set: { processingSeq: head.seq, deliverySeq: head.seq, ...(mark',
    to: 'set: { ...(mark',
  },
  {
    name: 'two batches of a stage may be at work',
    file: `${JOBS}/dispatch.ts`,
    from: "{ put: { ...slotKey(queue), ...slot }, when: [{ attribute: 'pk', is: 'absent' }] }",
    to: '{ put: { ...slotKey(queue), ...slot } }',
  },
  {
    name: 'dispatch does not look again after an empty batch',
    file: `${JOBS}/dispatch.ts`,
    from: '    await release(ledger, queue, batch)\n  }\n}',
    to: "    await release(ledger, queue, batch)\n    return 'idle'\n  }\n}",
  },
  {
    name: 'a job that cannot start keeps its slot',
    file: `${JOBS}/dispatch.ts`,
    from: '      await release(ledger, queue, batch)\n      throw error',
    to: '      throw error',
  },
  {
    name: 'the manifest is not noted before the job is started',
    file: `${JOBS}/dispatch.ts`,
    from: 'set: { items, manifest: uri, dpu }',
    to: 'set: { dpu }',
  },
  {
    name: 'what was settled before a crash is settled again',
    file: `${JOBS}/settle.ts`,
    from: 'if (!(await ledger.table.get(place))) return',
    to: 'await ledger.table.get(place)',
  },
  {
    name: 'a source that waits for the stage before is failed',
    file: `${JOBS}/settle.ts`,
    from: 'else if (!(error instanceof NotYet)) {',
    to: 'else {',
  },
  {
    name: 'a batch that fails goes again as it was',
    file: `${JOBS}/settle.ts`,
    from: 'if (items.length > 1 || only.half === undefined) {',
    to: 'if (items.length > 1) return\n  if (only.half === undefined) {',
  },
  {
    name: "one source's trouble is its whole batch's",
    file: `${JOBS}/settle.ts`,
    from: '          if (mayPass(error) && !lastAttempt) retry ??= error\n',
    to: '          if (mayPass(error)) retry ??= error\n',
  },
  {
    name: 'the sums are not compared before publishing',
    file: 'services/partition/partition.ts',
    from: 'if (rowsIn === run.accepted && written === run.accepted) return',
    to: 'if (rowsIn !== undefined) return',
  },
  {
    name: 'partition starts before all parts are there',
    file: 'services/partition/partition.ts',
    from: 'if (!(await partsOf(deps, ref))) {',
    to: 'if ((await partsOf(deps, ref)) === null) {',
  },
  {
    name: 'a lost event of typed rows stays lost',
    file: 'services/partition/partition.ts',
    from: 'if (ledger.now().getTime() - Number(since) < OVERDUE_MS) continue',
    to: 'if (Number(since) > 0) continue',
  },
  {
    name: 'an item is read as it may have been',
    file: `${LEDGER}/table.ts`,
    from: 'Key: { pk: key.pk, sk: key.sk }, ConsistentRead: true',
    to: 'Key: { pk: key.pk, sk: key.sk }',
  },
  {
    name: 'a queue is read as it may have been',
    file: `${LEDGER}/table.ts`,
    from: '          ConsistentRead: true,\n          ExclusiveStartKey',
    to: '          ExclusiveStartKey',
  },
  {
    name: 'who registers does not see that another did',
    file: `${LEDGER}/ledger.ts`,
    from: 'if (known) return { run: known, fresh: false }',
    to: 'if (known && attempt > 99) return { run: known, fresh: false }',
  },
  {
    name: 'two runs may be registered as the same of a source',
    file: `${LEDGER}/ledger.ts`,
    from: ": { attribute: 'seq', is: 'equal', to: head.seq },",
    to: ": { attribute: 'seq', is: 'present' },",
  },
  {
    name: 'a replay brings back what was withdrawn',
    file: `${LEDGER}/ledger.ts`,
    from: 'return cause === LIVE || at === undefined || landedSince(landed, at) ? undefined : withdrawn(landed.key, at)',
    to: 'return cause !== undefined || at === undefined || landedSince(landed, at) ? undefined : withdrawn(landed.key, at)',
  },
  {
    name: 'an older zip that an archived one uncovers is taken for the newest',
    file: `${LEDGER}/ledger.ts`,
    from: "const late = kind === 'zip' && isEarlier(landed, head)",
    to: "const late = kind !== 'zip' && isEarlier(landed, head)",
  },
  {
    name: 'the crawled number is that of the end, not of the beginning',
    file: `${LEDGER}/catalog-state.ts`,
    from: 'crawled: Math.max(state.crawled, state.crawlDirty ?? 0)',
    to: 'crawled: state.dirty',
  },
  {
    name: 'changes of the delivery zone are not counted',
    file: `${LEDGER}/catalog-state.ts`,
    from: 'await ledger.table.write([{ update: stateKey(dataset), add: { dirty: 1 } }])',
    to: 'await ledger.table.write([{ update: stateKey(dataset), add: { dirty: 0 } }])',
  },
  {
    name: 'no partition is dropped',
    file: 'services/catalog/catalog.ts',
    from: 'if (repair.drop.length > 0) await glue.dropPartitions(table, repair.drop)',
    to: 'if (repair.drop.length < 0) await glue.dropPartitions(table, repair.drop)',
  },
  {
    name: 'a batch whose end was not heard is left alone',
    file: 'services/sweep/sweep.ts',
    from: 'if (!slot || slot.leaseUntil > deps.ledger.now().getTime()) return undefined',
    to: 'if (slot || !slot) return undefined',
  },
  {
    name: 'the sweep does not ask Glue what became of a job',
    file: 'services/sweep/sweep.ts',
    from: '  if (!slot.manifest) {\n    await release',
    to: '  {\n    await release',
  },
  {
    name: 'a crawl whose end was not heard is left alone',
    file: 'services/sweep/sweep.ts',
    from: 'if (age < CRAWL_DOUBT_MS ||',
    to: 'if (age >= 0 || age < CRAWL_DOUBT_MS ||',
  },
  {
    name: 'a newer zip leaves what it lacks',
    file: 'services/unzip/unzip.ts',
    from: 'for (const { key, sourceId } of before.filter((member) => !kept.has(member.key))) {',
    to: 'for (const { key, sourceId } of before.filter((member) => !kept && member)) {',
  },
  {
    name: 'a zip leaves landing before the ledger knows',
    file: 'services/unzip/unzip.ts',
    from: '-before`)\n',
    to: '-before`)\n      await leaveLanding(deps, run)\n',
  },
  {
    name: 'members are shown before the last CRC has passed',
    file: 'services/unzip/extract.ts',
    from: '        await upload.end()\n',
    to: '        await upload.end()\n        await upload.sent()\n        await upload.complete()\n',
  },
  {
    name: 'the ledger does not know of members before they are shown',
    file: 'services/unzip/unzip.ts',
    from: 'await ledger.table.write([{ update: headKey(run), set, remove }])',
    to: 'void [set, remove]',
  },
  {
    name: 'a zip has not failed before its last attempt',
    file: 'services/unzip/unzip.ts',
    from: 'if (lastReceive) await ledger.table.write([{ update: runKey(run), set: given }])',
    to: 'void runKey(run)',
  },
  {
    name: 'a rerun ends before the table is switched',
    file: 'services/rerun/close.ts',
    from: 'if ((await pendingRows(ledger, open.rerun, 1)).length > 0) return undefined',
    to: 'await pendingRows(ledger, open.rerun, 1)',
  },
]
