import type { Mutation } from '../mutations.ts'

/** What the ledger says, and the catalog. */
export const LEDGER: Mutation[] = [
  {
    name: 'an item is read as it may have been',
    file: 'services/ledger/table.ts',
    from: 'Key: { pk: key.pk, sk: key.sk }, ConsistentRead: true',
    to: 'Key: { pk: key.pk, sk: key.sk }',
  },
  {
    name: 'a queue is read as it may have been',
    file: 'services/ledger/table.ts',
    from: '          ConsistentRead: true,\n          ExclusiveStartKey',
    to: '          ExclusiveStartKey',
  },
  {
    name: 'who registers does not see that another did',
    file: 'services/ledger/ledger.ts',
    from: 'if (known) return { run: known, fresh: false }',
    to: 'if (known && attempt > 99) return { run: known, fresh: false }',
  },
  {
    name: 'two runs may be registered as the same of a source',
    file: 'services/ledger/ledger.ts',
    from: ": { attribute: 'seq', is: 'equal', to: head.seq },",
    to: ": { attribute: 'seq', is: 'present' },",
  },
  {
    name: 'a replay brings back what was withdrawn',
    file: 'services/ledger/endings.ts',
    from: 'return cause === LIVE || at === undefined || landedSince(landed, at) ? undefined : withdrawn(landed.key, at)',
    to: 'return cause !== undefined || at === undefined || landedSince(landed, at) ? undefined : withdrawn(landed.key, at)',
    behind: [
      'a zip that was withdrawn since it was taken in is extracted',
      'a replayed zip brings back members that were withdrawn',
    ],
  },
  {
    name: 'an older zip that an archived one uncovers is taken for the newest',
    file: 'services/ledger/ledger.ts',
    from: "const late = kind === 'zip' && isEarlier(landed, head)",
    to: "const late = kind !== 'zip' && isEarlier(landed, head)",
  },
  {
    name: 'the crawled number is that of the end, not of the beginning',
    file: 'services/ledger/catalog-state.ts',
    from: 'crawled: Math.max(state.crawled, state.crawlDirty ?? 0)',
    to: 'crawled: state.dirty',
    behind: ['what a crawl did not add is not added'],
  },
  {
    name: 'changes of the delivery zone are not counted',
    file: 'services/ledger/catalog-state.ts',
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
    name: 'what a crawl did not add is not added',
    file: 'services/catalog/catalog.ts',
    from: 'if (add.length > 0) await glue.addPartitions(table, add)',
    to: 'if (add.length < 0) await glue.addPartitions(table, add)',
  },
  {
    name: 'a crawl that is not heard of any more is at work for ever',
    file: 'services/ledger/catalog-state.ts',
    from: "when: [{ attribute: 'crawlUntil', is: 'absentOrLess', to: now }],",
    to: "when: [{ attribute: 'crawlUntil', is: 'absent' }],",
    behind: ['a crawl whose end was not heard is left alone'],
  },
]
