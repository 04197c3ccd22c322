import type { Mutation } from '../mutations.ts'

/** How what waits gets into jobs, and what became of it into the ledger. */
export const BATCHES: Mutation[] = [
  {
    name: 'two batches of a stage may be at work',
    file: 'services/jobs/dispatch.ts',
    from: "{ put: { ...slotKey(queue), ...slot }, when: [{ attribute: 'pk', is: 'absent' }] }",
    to: '{ put: { ...slotKey(queue), ...slot } }',
  },
  {
    name: 'dispatch does not look again after an empty batch',
    file: 'services/jobs/dispatch.ts',
    from: '    await release(ledger, queue, batch)\n  }\n}',
    to: "    await release(ledger, queue, batch)\n    return 'idle'\n  }\n}",
  },
  {
    name: 'a job that cannot start keeps its slot',
    file: 'services/jobs/dispatch.ts',
    from: '      await release(ledger, queue, batch)\n      throw error',
    to: '      throw error',
  },
  {
    name: 'the manifest is not noted before the job is started',
    file: 'services/jobs/dispatch.ts',
    from: 'set: { items, manifest: uri, dpu }',
    to: 'set: { dpu }',
  },
  {
    name: 'a source that waits for the stage before is failed',
    file: 'services/jobs/fail.ts',
    from: 'if (stage.isHandedOver?.(run) === false) return',
    to: 'if (stage.isHandedOver === null) return',
  },
  {
    name: 'a batch that fails goes again as it was',
    file: 'services/jobs/fail.ts',
    from: 'if (items.length > 1 || only.half === undefined) {',
    to: 'if (items.length > 1) return\n  if (only.half === undefined) {',
  },
  {
    name: 'half of a version stays where it is',
    file: 'services/jobs/fail.ts',
    from: 'if (!(await stage.isHalfDone?.(run)))',
    to: 'if (stage.isHalfDone !== null)',
  },
  {
    name: "one source's trouble is its whole batch's",
    file: 'services/jobs/settle.ts',
    from: 'if (mayPass(error) && !lastAttempt) {',
    to: 'if (mayPass(error)) {',
  },
  {
    name: 'the sums are not compared before publishing',
    file: 'services/partition/partition.ts',
    from: 'if (rowsIn === run.accepted && written === run.accepted) return',
    to: 'if (rowsIn !== undefined) return',
  },
  {
    name: 'a lost event of typed rows stays lost',
    file: 'services/partition/partition.ts',
    from: 'if (ledger.now().getTime() - Number(since) < onItsWayMs()) continue',
    to: 'if (Number(since) > 0) continue',
  },
]
