import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch'
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware'
import { captureLambdaHandler } from '@aws-lambda-powertools/tracer/middleware'
import { ChangeMessageVisibilityCommand, GetQueueUrlCommand, SQSClient } from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import type { z } from 'zod'
import { aboutOf } from './about.ts'
import { tellEnded } from './ended.ts'
import { LandfallError } from './errors.ts'
import { annotating, naming, takeHandled } from './handled.ts'
import { logger } from './logger.ts'
import { backoff, MAX_RECEIVES } from './receives.ts'
import { tellers } from './tellers.ts'
import { newInvocation, step, traced, tracer } from './tracer.ts'

export { logger, step }

/** Milliseconds of the invocation: all that it had when it began, and what is left of it now. */
export type InvocationTime = { given: number; left: () => number }
function timeOf(context: Context): InvocationTime {
  const left = () => context.getRemainingTimeInMillis()
  return { given: left(), left }
}
export type Received = { lastReceive: boolean; replay?: string; time: InvocationTime }
/** One kind of event that a stage hears: its schema, and the call. Returns the datasets to dispatch afterwards. */
export type Route<S extends z.ZodType = z.ZodType> = {
  schema: S
  handle: (event: z.output<S>, received: Received) => Promise<string | undefined>
}

export const on = <S extends z.ZodType>({ schema }: { schema: S }, handle: Route<S>['handle']): Route<S> => ({
  schema,
  handle,
})

const sqs = traced(new SQSClient())

/** Without this a message would come back only after the queue's visibility timeout, which must outlast the function. */
async function comeBack(record: SQSRecord) {
  const [, , , , account, name] = record.eventSourceARN.split(':')
  const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: name, QueueOwnerAWSAccountId: account }))
  const receives = Number(record.attributes.ApproximateReceiveCount)
  await sqs.send(
    new ChangeMessageVisibilityCommand({
      QueueUrl,
      ReceiptHandle: record.receiptHandle,
      VisibilityTimeout: backoff(receives),
    }),
  )
}

async function receive(routes: Route[], record: SQSRecord, time: InvocationTime): Promise<string | undefined> {
  const body: unknown = JSON.parse(record.body)
  for (const { schema, handle } of routes) {
    const event = schema.safeParse(body)
    if (!event.success) continue
    const replay = (body as { 'replay-name'?: string })['replay-name']
    return await handle(event.data, {
      lastReceive: Number(record.attributes.ApproximateReceiveCount) >= MAX_RECEIVES,
      ...(replay && { replay }),
      time,
    })
  }
  throw new Error(`No schema of this stage takes the event: ${record.body.slice(0, 500)}`)
}

function bodyOf({ body }: SQSRecord): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

const fields = (error: unknown) =>
  error instanceof LandfallError ? { code: error.code, retryable: error.retryable } : {}

/**
 * A stage's handler: SQS batches of EventBridge events, each parsed by the first schema that takes it, failures given
 * back one by one. Afterwards, once a batch, `dispatch` for every dataset that an event named.
 */
export function stage(routes: Route[], dispatch?: (dataset: string) => Promise<unknown>) {
  const base = async (event: SQSEvent, context: Context): Promise<SQSBatchResponse> => {
    const time = timeOf(context)
    const woken = new Map<string, SQSRecord[]>()
    const processor = new BatchProcessor(EventType.SQS)
    const handled = new Set<string>()
    takeHandled()
    newInvocation()
    const response = await processPartialResponse(
      event,
      async (record: SQSRecord) => {
        let mine: string[] = []
        const work = async () => {
          try {
            return await receive(routes, record, time)
          } finally {
            mine = takeHandled()
            for (const runId of mine) handled.add(runId)
          }
        }
        try {
          const dataset = await step('event', work, () => annotating(mine))
          if (mine.length > 0) logger.info('An event was handled', naming(mine))
          if (dataset) woken.set(dataset, [...(woken.get(dataset) ?? []), record])
        } catch (error) {
          logger.error('An event could not be handled and comes back', {
            ...aboutOf(bodyOf(record), process.env.RAW_BUCKET),
            ...naming(mine),
            receives: record.attributes.ApproximateReceiveCount,
            ...fields(error),
            error: error as Error,
          })
          await comeBack(record)
          throw error
        }
      },
      processor,
      { context, processInParallel: false, throwOnFullBatchFailure: false },
    )
    for (const [dataset, records] of woken) {
      try {
        if (dispatch) await step('dispatch', () => dispatch(dataset), { dataset })
      } catch (error) {
        // A wake-up is a hint: what is queued stays queued, and the sweep dispatches it within a minute.
        if (error instanceof LandfallError && error.retryable) {
          logger.warn('Dispatch has to wait for the sweep', { dataset, ...fields(error), error })
          continue
        }
        logger.error('A dispatch failed, and the events that asked for it come back', {
          dataset,
          ...fields(error),
          error: error as Error,
        })
        for (const record of records) {
          await comeBack(record)
          response.batchItemFailures.push({ itemIdentifier: record.messageId })
        }
      }
    }
    for (const runId of takeHandled()) handled.add(runId)
    for (const [key, value] of Object.entries(annotating([...handled]))) tracer.putAnnotation(key, value)
    await step('tell', () => tellEnded(tellers()))
    return response
  }
  return middy<SQSEvent, SQSBatchResponse>()
    .use(captureLambdaHandler(tracer))
    .use(injectLambdaContext(logger))
    .handler(base)
}

/** A function that a schedule wakes. */
export function scheduled(work: (time: InvocationTime) => Promise<void>) {
  const base = async (_: unknown, context: Context) => {
    newInvocation()
    try {
      await work(timeOf(context))
    } finally {
      await tellEnded(tellers())
    }
  }
  return middy<unknown, void>().use(captureLambdaHandler(tracer)).use(injectLambdaContext(logger)).handler(base)
}
