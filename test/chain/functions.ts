import {
  CloudFormationClient,
  paginateDescribeStacks,
  paginateListStackResources,
} from '@aws-sdk/client-cloudformation'
import { clientConfig, localRegion } from '../../infra/local/runtime.ts'
import type { Stack } from './stack.ts'

const STACK = 'LandfallStateless'

/** A call as root, by hand, so that its client need not be installed; root's signature is not looked at. */
async function call(chain: Stack, service: string, path: string, headers: Record<string, string>, body: object) {
  const credential = `test/20260101/${localRegion}/${service}/aws4_request`
  const authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=none`
  const response = await fetch(`${chain.runtime.endpoint}${path}`, {
    method: 'POST',
    headers: { authorization, ...headers },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  if (!response.ok || response.headers.has('x-amz-function-error')) throw new Error(`${path} failed: ${text}`)
  return text
}

/** Calls the function whose name is this output of the stack, and waits for its end. */
export async function invoke(chain: Stack, output: string): Promise<void> {
  const client = new CloudFormationClient(clientConfig(chain.runtime.endpoint))
  for await (const { Stacks = [] } of paginateDescribeStacks({ client }, { StackName: STACK }))
    for (const { Outputs = [] } of Stacks) {
      const name = Outputs.find(({ OutputKey }) => OutputKey === output)?.OutputValue
      if (name) await call(chain, 'lambda', `/2015-03-31/functions/${name}/invocations`, {}, {})
    }
  client.destroy()
}

export type Line = Record<string, unknown>

/** All that a stage's function has written, e.g. `Sweep`: its lines of JSON, and the text as it is. */
export async function logOf(chain: Stack, stage: string): Promise<{ lines: Line[]; text: string }> {
  const client = new CloudFormationClient(clientConfig(chain.runtime.endpoint))
  let logGroupName = ''
  for await (const { StackResourceSummaries = [] } of paginateListStackResources({ client }, { StackName: STACK }))
    for (const { LogicalResourceId = '', PhysicalResourceId = '' } of StackResourceSummaries)
      if (new RegExp(`^${stage}Logs[0-9A-F]{8}$`).test(LogicalResourceId)) logGroupName = PhysicalResourceId
  client.destroy()
  const messages: string[] = []
  const target = { 'x-amz-target': 'Logs_20140328.FilterLogEvents', 'content-type': 'application/x-amz-json-1.1' }
  let nextToken: string | undefined
  do {
    const page = JSON.parse(await call(chain, 'logs', '/', target, { logGroupName, nextToken }))
    messages.push(...page.events.map(({ message }: { message: string }) => message))
    nextToken = page.nextToken
  } while (nextToken)
  const lines = messages.flatMap((message) => {
    try {
      const line: unknown = JSON.parse(message)
      return typeof line === 'object' && line !== null ? [line as Line] : []
    } catch {
      return []
    }
  })
  return { lines, text: messages.join('\n') }
}
