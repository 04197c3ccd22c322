import type { Run } from '../ledger/run.ts'

/** How a problem ends whose message is kept for whoever mends the cause. */
export const IN_QUEUE =
  'Its message is in the dead-letter queue: mend the cause and redrive it, or land the file again.'

const NOT_IN_QUEUE = 'Its message is in no dead-letter queue any more: mend the cause, and land the file again'

/** How it ends when that message is gone: purged, or older than the 14 days for which SQS keeps it. */
export function gone({ kind, dataset }: Pick<Run, 'kind' | 'dataset'>): string {
  const prefix = kind === 'zip' ? ` --prefix landing/${dataset}/` : ''
  return `${NOT_IN_QUEUE}, or run \`landfall rerun ${dataset}${prefix} --only failed\`.`
}
