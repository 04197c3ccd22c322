import { BatchGetTracesCommand, type XRayClient } from '@aws-sdk/client-xray'
import type { Document } from './waterfall.ts'

/** Traces that were sent to X-Ray. */
export interface Traces {
  /** The documents of one, undefined when X-Ray does not have it. */
  documents(traceId: string): Promise<Document[] | undefined>
}

export class XRayTraces implements Traces {
  readonly #xray: XRayClient

  constructor(xray: XRayClient) {
    this.#xray = xray
  }

  async documents(traceId: string): Promise<Document[] | undefined> {
    const found: Document[] = []
    let NextToken: string | undefined
    do {
      const page = await this.#xray.send(new BatchGetTracesCommand({ TraceIds: [traceId], NextToken }))
      for (const { Segments = [] } of page.Traces ?? [])
        for (const { Document: text } of Segments) if (text) found.push(JSON.parse(text) as Document)
      NextToken = page.NextToken
    } while (NextToken)
    return found.length > 0 ? found : undefined
  }
}
