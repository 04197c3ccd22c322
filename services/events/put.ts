import { type EventBridgeClient, PutEventsCommand, type PutEventsRequestEntry } from '@aws-sdk/client-eventbridge'

/** Of one call. https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html */
const BATCH = 10

export type OwnEvent = { type: `landfall.${string}`; detail: object }
/** Puts events of our own on the default bus. @throws Error saying how many EventBridge did not take, and why */
export type PutEvents = (events: OwnEvent[]) => Promise<void>

type Client = Pick<EventBridgeClient, 'send'>

/** PutEvents answers 200 for a batch of which it took nothing: each entry says for itself. What it did not take is put once more. */
export const putEvents =
  (client: Client): PutEvents =>
  async (events) => {
    const entries = events.map(({ type, detail }) => ({
      Source: 'landfall',
      DetailType: type,
      Detail: JSON.stringify(detail),
    }))
    const left = await putAll(
      client,
      await putAll(
        client,
        entries.map((entry) => ({ entry })),
      ),
    )
    const [first] = left
    if (first) {
      const why = `${first.code}: ${first.message}`
      throw new Error(`EventBridge did not take ${left.length} of ${events.length} events, the first for ${why}`)
    }
  }

type Left = { entry: PutEventsRequestEntry; code?: string; message?: string }

async function putAll(client: Client, entries: Left[]): Promise<Left[]> {
  const left: Left[] = []
  for (let at = 0; at < entries.length; at += BATCH) {
    const batch = entries.slice(at, at + BATCH)
    const { Entries: answers = [] } = await client.send(
      new PutEventsCommand({ Entries: batch.map(({ entry }) => entry) }),
    )
    batch.forEach(({ entry }, index) => {
      const { ErrorCode: code, ErrorMessage: message } = answers[index] ?? {}
      if (code) left.push({ entry, code, message })
    })
  }
  return left
}
