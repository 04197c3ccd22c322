import { CloudFormation } from '@aws-sdk/client-cloudformation'
import { expect } from 'vitest'
import { STACKS } from '../../infra/app.ts'
import { clientConfig } from '../../infra/local/runtime.ts'
import { iam } from '../infra/local/support.ts'
import type { Stack } from './stack.ts'

export type Denials = {
  /** Outputs of the stateless stack. */
  outputs: Map<string, string>
  /** Takes a right away from these roles (`Convert`, `ConvertGlue`, …). @returns what gives it back */
  deny: (action: string, names: string[], resource?: string) => Promise<() => Promise<void>>
  /** The same for as long as `work` takes. */
  without: <T>(action: string, names: string[], work: () => Promise<T>) => Promise<T>
}

/** Breaks a stage of a running chain as a wrong deployment would: by its role. */
export async function denials(chain: Stack): Promise<Denials> {
  const { endpoint } = chain.runtime
  const cloudFormation = new CloudFormation(clientConfig(endpoint))
  const [, StackName] = STACKS
  const { StackResources = [] } = await cloudFormation.describeStackResources({ StackName })
  const { Stacks = [] } = await cloudFormation.describeStacks({ StackName })
  cloudFormation.destroy()
  const roles = new Map(
    StackResources.filter(({ ResourceType }) => ResourceType === 'AWS::IAM::Role').map(
      ({ LogicalResourceId = '', PhysicalResourceId = '' }) => [
        LogicalResourceId.replace(/Role[0-9A-F]{8}$/, ''),
        PhysicalResourceId,
      ],
    ),
  )
  const of = (name: string) => ({ RoleName: roles.get(name) ?? expect.fail(`no role ${name}`), PolicyName: 'denied' })
  const deny: Denials['deny'] = async (Action, names, Resource = '*') => {
    const Statement = [{ Effect: 'Deny', Action, Resource }]
    const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement })
    for (const name of names) await iam(endpoint, 'PutRolePolicy', { ...of(name), PolicyDocument })
    return async () => {
      for (const name of names) await iam(endpoint, 'DeleteRolePolicy', of(name))
    }
  }
  return {
    outputs: new Map(Stacks[0]?.Outputs?.map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue])),
    deny,
    without: async (action, names, work) => {
      const mend = await deny(action, names)
      try {
        return await work()
      } finally {
        await mend()
      }
    },
  }
}
