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

function shareOf({ traceSampling }: Config): number {
  if (traceSampling >= 0 && traceSampling <= 1) return traceSampling
  throw new Error(`traceSampling is ${traceSampling}: expected a share of the runs, 0 to 1.`)
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

  const isTraced = shareOf(config) > 0
  return new LambdaFunction(scope, 'Function', {
    description: `Landfall: ${name}`,
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.X86_64,
    handler: 'index.handler',
    code: Code.fromAsset(code),
    memorySize: config.memory[name],
    timeout: config.functionTimeout,
    // It grants PutTraceSegments, too, by which the traces of runs are sent.
    tracing: isTraced ? Tracing.ACTIVE : Tracing.DISABLED,
    ...props.function,
    role,
    logGroup,
    environment: {
      POWERTOOLS_SERVICE_NAME: name,
      LOG_LEVEL: config.logLevel,
      TRACE_SAMPLING: String(config.traceSampling),
      ...(!isTraced && { POWERTOOLS_TRACE_ENABLED: 'false' }),
      ...config.environment,
      ...environment,
    },
  })
}
