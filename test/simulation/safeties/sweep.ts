import type { Mutation } from '../mutations.ts'

/** What is looked for that nobody told of. */
export const SWEEP: Mutation[] = [
  {
    name: 'a landing whose event is lost is not looked for',
    file: 'services/sweep/landings.ts',
    from: 'return !key.endsWith(',
    to: 'return key.endsWith(',
  },
  {
    name: 'nobody reads dead letters',
    file: 'services/sweep/letters.ts',
    from: 'if (waiting + inFlight === 0 && !last?.noted) return',
    to: 'if (waiting + inFlight >= 0) return',
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
    behind: ['a crawl that is not heard of any more is at work for ever'],
  },
  {
    name: 'a rerun ends before the table is switched',
    file: 'services/rerun/close.ts',
    from: 'if ((await pendingRows(ledger, open.rerun, 1)).length > 0) return undefined',
    to: 'await pendingRows(ledger, open.rerun, 1)',
  },
]
