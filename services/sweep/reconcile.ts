import type { z } from 'zod'
import { csvLanded } from '../convert/convert.ts'
import type { ConvertWiring } from '../convert/stage.ts'
import { arrivalOf } from '../jobs/intake.ts'
import { contracts, sqs } from '../lambda/clients.ts'
import type { SweepEnv } from '../lambda/env.ts'
import { LIVE } from '../ledger/causes.ts'
import { SqsDeadLetters } from '../letters/dead-letters.ts'
import { sqsDepth, sqsSend } from '../letters/queues.ts'
import { sweepLandings } from './landings.ts'
import { type LettersSwept, sweepLetters } from './letters.ts'

/** Ledger, raw zone and dead-letter queues, over AWS. */
export async function reconcile(env: z.output<typeof SweepEnv>, { deps }: ConvertWiring): Promise<LettersSwept> {
  const { RAW_BUCKET: rawBucket, PROCESSING_BUCKET: processingBucket, DELIVERY_BUCKET: deliveryBucket } = env
  // Before the listing, which then finds the runs that letters are of.
  const letters = await sweepLetters({
    ...deps,
    rawBucket,
    processingBucket,
    deliveryBucket,
    datasets: [...contracts().keys()],
    deadLetters: new SqsDeadLetters(sqs()),
    depth: sqsDepth(sqs()),
    queues: env.DEAD_LETTERS,
  })
  const landings = await sweepLandings({
    ledger: deps.ledger,
    objects: deps.objects,
    rawBucket,
    take: async (event) => void (await csvLanded(deps, arrivalOf(event, LIVE))),
    send: (event) => sqsSend(sqs(), env.UNZIP_QUEUE, event),
  })
  return {
    swept: [...letters.swept, ...landings.swept],
    told: letters.told,
    errors: [...letters.errors, ...landings.errors],
  }
}
