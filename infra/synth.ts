import { join } from 'node:path'
import { loadContracts } from '../schemas/load.ts'
import { publishedBeside, readPublished } from '../schemas/published.ts'
import { synthesize } from './app.ts'
import { aws, PROJECT } from './config.ts'

// `npm run synth`, and the app of CDK's CLI (cdk.json): says where the templates for AWS are, or why there are none.
try {
  for (const dataset of loadContracts(aws.datasets).keys())
    if (readPublished(publishedBeside(aws.datasets), dataset) === null)
      console.error(
        `${dataset} is new. Once it is deployed, run \`npm run contract:accept\` and commit it: later changes are held against that.`,
      )
  console.log(synthesize(aws, process.env.CDK_OUTDIR ?? join(PROJECT, 'cdk.out')))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
