/**
 * How often SQS hands out a message before it goes to the DLQ. The queue's redrive policy and the handlers both read it:
 * on the last receive `failed` is written before the attempt, so that DLQ and ledger agree.
 */
export const MAX_RECEIVES = 5
