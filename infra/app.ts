import { join } from 'node:path'
import { App, DefaultStackSynthesizer } from 'aws-cdk-lib/core'
import { loadContracts } from '../schemas/load.ts'
import { checkPublished, publishedBeside } from '../schemas/published.ts'
import { bundle } from './bundle.ts'
import { type Config, DATASETS, DIST, type StageName } from './config.ts'
import { Stateful } from './stateful.ts'
import { Stateless } from './stateless.ts'

/** Names of the two stacks, stateful first: the order to deploy them in. */
export const STACKS = ['LandfallStateful', 'LandfallStateless'] as const

/** The app as every caller sees it; flags are here and not in cdk.json, which only CDK's own CLI reads. */
function createApp({ assetsBucket, validateTemplates }: Config, outdir: string | undefined): App {
  return new App({
    outdir,
    analyticsReporting: false,
    treeMetadata: false,
    builtinCloudFormationValidation: validateTemplates,
    // A laptop has no bootstrapped account: its deployer uploads to one bucket that it makes itself.
    defaultStackSynthesizer: assetsBucket
      ? new DefaultStackSynthesizer({ generateBootstrapVersionRule: false, fileAssetsBucketName: assetsBucket })
      : undefined,
    context: {
      // Fewer, merged statements: a role's inline policies may have 10,240 characters.
      '@aws-cdk/aws-iam:minimizePolicies': true,
      '@aws-cdk/core:validateAgainstDefaultRules': true,
    },
  })
}

/** The app with its two stacks, of which nothing is written yet. */
export function build(config: Config, functions: Record<StageName, string>, outdir?: string) {
  const app = createApp(config, outdir)
  const declared = loadContracts(config.datasets)
  checkPublished(declared, config.datasets, publishedBeside(config.datasets))
  const contracts = [...declared.values()]
  const stateful = new Stateful(app, STACKS[0], { config, contracts })
  const stateless = new Stateless(app, STACKS[1], { config, stateful, functions })
  return { app, stateful, stateless }
}

/**
 * Bundles the functions and writes the cloud assembly: templates, their assets, and the manifest that lists both.
 * @param outdir @default CDK_OUTDIR, which CDK's CLI sets, else a new temporary folder
 * @returns the assembly's folder.
 * @throws when a contract is wrong or changes what published files cannot serve, a job's script is missing, or a handler does not build.
 */
export function synthesize(config: Config, outdir?: string): string {
  const { functions, code } = bundle()
  // Beside the assembly: what is in `dist/` is what any other stack of this checkout is made of.
  const own =
    config.datasets === DATASETS ? functions : bundle(join(outdir ?? DIST, '..', 'dist'), config.datasets).functions
  const environment = { ...config.environment, CODE_VERSION: code }
  return build({ ...config, environment }, own, outdir).app.synth().directory
}
