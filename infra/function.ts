import { type PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import {
  Architecture,
  Code,
  type FunctionProps,
  Function as LambdaFunction,
  Runtime,
  Tracing,
} from 'aws-cdk-lib/aws-lambda'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import { RemovalPolicy } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import type { Config, StageName } from './config.ts'

export interface StageFunctionProps {
  name: StageName
  config: Config
  /** Folder with the bundled `index.mjs` and its `datasets/`. */
  code: string
  environment: Record<string, string>
  rights: PolicyStatement[]
  /** Replaces defaults. */
  function?: Partial<FunctionProps>
}

/** A stage's function: its role holds the given rights, its own log group, X-Ray, and nothing else. */
export function stageFunction(scope: Construct, props: StageFunctionProps): LambdaFunction {
  const { name, config, code, environment, rights } = props
  const logGroup = new LogGroup(scope, 'Logs', {
    retention: config.logRetention,
    // Logs are not data: they expire anyway, and what a run did is in the ledger.
    removalPolicy: RemovalPolicy.DESTROY,
  })
  const role = new Role(scope, 'Role', {
    assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    description: `Landfall: what the function of ${name} may do`,
  })
  logGroup.grantWrite(role)
  for (const right of rights) role.addToPolicy(right)

  return new LambdaFunction(scope, 'Function', {
    description: `Landfall: ${name}`,
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.X86_64,
    handler: 'index.handler',
    code: Code.fromAsset(code),
    memorySize: config.memory[name],
    timeout: config.functionTimeout,
    tracing: Tracing.ACTIVE,
    ...props.function,
    role,
    logGroup,
    environment: {
      POWERTOOLS_SERVICE_NAME: name,
      LOG_LEVEL: config.logLevel,
      ...config.environment,
      ...environment,
    },
  })
}
