import { AttributeType, Table } from 'aws-cdk-lib/aws-dynamodb'
import { Bucket } from 'aws-cdk-lib/aws-s3'
import { App, CfnOutput, DefaultStackSynthesizer, RemovalPolicy, Stack } from 'aws-cdk-lib/core'
import { expect } from 'vitest'
import { laptop } from '../../../infra/config.ts'
import { clientConfig, localRegion } from '../../../infra/local/runtime.ts'
import { Rerun } from '../../../infra/rerun.ts'
import { type Clients, eventually } from '../../infra/local/support.ts'

/** The machine as it is deployed, with a ledger and a raw zone, but nothing that hears it; and two that go wrong. */
export async function deployMachines({ endpoint, cloudformation, s3 }: Clients & { endpoint: string }) {
  const synthesizer = new DefaultStackSynthesizer({ generateBootstrapVersionRule: false })
  const app = new App({ analyticsReporting: false })
  const stack = new Stack(app, 'Reruns', { synthesizer })
  const ledger = new Table(stack, 'Ledger', {
    partitionKey: { name: 'pk', type: AttributeType.STRING },
    sortKey: { name: 'sk', type: AttributeType.STRING },
    removalPolicy: RemovalPolicy.DESTROY,
  })
  const raw = new Bucket(stack, 'Raw', { removalPolicy: RemovalPolicy.DESTROY })
  const nowhere = Bucket.fromBucketName(stack, 'Nowhere', 'no-such-bucket')
  const props = { config: laptop(), stateful: { raw, ledger }, datasets: ['sales', 'costs'] }
  const machines = {
    machine: new Rerun(stack, 'Rerun', props),
    narrow: new Rerun(stack, 'Narrow', { ...props, mostKeys: 3 }),
    lost: new Rerun(stack, 'Lost', { ...props, stateful: { raw: nowhere, ledger } }),
  }
  const names = {
    ledger: ledger.tableName,
    raw: raw.bucketName,
    machine: machines.machine.machine.stateMachineArn,
    narrow: machines.narrow.machine.stateMachineArn,
    lost: machines.lost.machine.stateMachineArn,
  }
  for (const [name, value] of Object.entries(names)) new CfnOutput(stack, `${name}Name`, { value })
  const template = { Bucket: 'templates', Key: 'reruns.json' }
  await s3.createBucket({ Bucket: template.Bucket })
  await s3.putObject({ ...template, Body: JSON.stringify(app.synth().getStackByName('Reruns').template) })
  // Three machines are more than a template may have as an argument.
  const TemplateURL = `${endpoint}/${template.Bucket}/${template.Key}`
  await cloudformation.createStack({ StackName: 'Reruns', TemplateURL, Capabilities: ['CAPABILITY_IAM'] })
  const outputs = await eventually('the stack', async () => {
    const { Stacks: [found] = [] } = await cloudformation.describeStacks({ StackName: 'Reruns' })
    if (found?.StackStatus?.includes('ROLLBACK')) throw new Error(found.StackStatusReason)
    return found?.StackStatus === 'CREATE_COMPLETE' ? found.Outputs : undefined
  })
  const deployed = (name: string) =>
    outputs.find(({ OutputKey }) => OutputKey === `${name}Name`)?.OutputValue ?? expect.fail(`no ${name}`)
  return Object.fromEntries(Object.keys(names).map((name) => [name, deployed(name)])) as typeof names
}

export type Execution = { status: string; output?: string; error?: string; cause?: string }

/** Calls of Step Functions by hand, so that its client need not be installed; root's signature is not looked at. */
export function stepFunctions(endpoint: string) {
  const { credentials } = clientConfig(endpoint)
  const credential = `${credentials.accessKeyId}/20260101/${localRegion}/states/aws4_request`
  const call = async (action: string, body: object) => {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.0',
        'x-amz-target': `AWSStepFunctions.${action}`,
        authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=none`,
      },
      body: JSON.stringify(body),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${action} failed: ${text}`)
    return JSON.parse(text)
  }
  return {
    start: async (stateMachineArn: string, name: string, input: unknown): Promise<string> =>
      (await call('StartExecution', { stateMachineArn, name, input: JSON.stringify(input) })).executionArn,
    describe: (executionArn: string): Promise<Execution> => call('DescribeExecution', { executionArn }),
  }
}
