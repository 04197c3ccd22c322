import type { Mutation, Tested } from '../mutations.ts'

/** What no schedule has noticed yet: a test of its own fails without it. */
export const BY_TEST: (Mutation & { test: Tested })[] = [
  {
    name: 'whoever slept over the end of its lock goes on',
    file: 'services/jobs/lease.ts',
    from: 'if (age < ms - MARGIN_MS) return',
    to: 'if (age < Number.POSITIVE_INFINITY) return',
    test: {
      file: 'test/services/jobs/lease.test.ts',
      title: 'copies nothing more into the zone, and takes nothing out',
    },
  },
  {
    name: 'typed rows of what is half in the table are taken out',
    file: 'services/jobs/publish.ts',
    from: "zone === 'processing' ? typedForHalves(ledger, run) : Promise.resolve([])",
    to: 'Promise.resolve<string[]>([])',
    test: {
      file: 'test/services/jobs/half.test.ts',
      title: 'is finished, though a rerun has typed it again and was too late to publish it',
    },
  },
  {
    name: 'a run whose typed rows another has taken begins in the table',
    file: 'services/partition/partition.ts',
    from: '(await isTaken(deps, run)) ? taken(run) : undefined',
    to: 'undefined',
    test: {
      file: 'test/services/jobs/half.test.ts',
      title: 'does not come of a run whose typed rows another run has taken away',
    },
  },
  {
    name: 'a replayed zip brings back members that were withdrawn',
    file: 'services/unzip/left-out.ts',
    from: ': !landedSince(run, withdrawnAt)',
    to: ': !landedSince(run, withdrawnAt) && run.seq < 0',
    test: {
      file: 'test/services/unzip/unfinished.test.ts',
      title: 'does not bring back with a rerun what was withdrawn after it landed',
    },
  },
  {
    name: 'a zip that landed before its member was withdrawn brings it back',
    file: 'services/unzip/left-out.ts',
    from: 'run.cause === LIVE ? run.seq <= withdrawnZipSeq',
    to: 'run.cause === LIVE ? run.seq < 0',
    test: {
      file: 'test/services/unzip/unfinished.test.ts',
      title: 'stays out though it had landed by itself, and is all that the zip has',
    },
  },
  {
    name: 'who has lost the lock tells the ledger all the same',
    file: 'services/jobs/publish.ts',
    from: "[{ attribute: 'lockOwner', is: 'equal', to: owner }]\n\n/** What one version",
    to: '[]\n\n/** What one version',
    test: {
      file: 'test/services/jobs/publish.test.ts',
      title: 'changes no ledger when another took over whose clock is far ahead',
    },
  },
  {
    name: 'what was settled before a crash is settled again',
    file: 'services/jobs/settle.ts',
    from: 'if (!(await ledger.table.get(place))) return',
    to: 'await ledger.table.get(place)',
    test: {
      file: 'test/services/jobs/resume.test.ts',
      title: 'settling a batch that is ended after %d objects goes on where it was ended',
    },
  },
  {
    name: 'partition starts before all parts are there',
    file: 'services/partition/partition.ts',
    from: 'if (!(await partsOf(deps, ref))) {',
    to: 'if ((await partsOf(deps, ref)) === null) {',
    test: {
      file: 'test/services/partition/partition.test.ts',
      title: 'queues its run once all parts are there, whatever the ledger says',
    },
  },
]
