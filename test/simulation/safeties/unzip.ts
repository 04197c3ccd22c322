import type { Mutation } from '../mutations.ts'

/** How members come out of a zip. */
export const UNZIP: Mutation[] = [
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
    behind: ['nobody reads dead letters'],
  },
  {
    name: 'a zip that was withdrawn since it was taken in is extracted',
    file: 'services/unzip/unzip.ts',
    from: 'if (head.withdrawnAt !== undefined && (await outdated(deps, run))) {',
    to: 'if (head.withdrawnAt !== undefined && !head && (await outdated(deps, run))) {',
    behind: ['a replay brings back what was withdrawn', 'a replayed zip brings back members that were withdrawn'],
  },
]
