import { join } from 'node:path'
import { synthesize } from './app.ts'
import { aws, PROJECT } from './config.ts'

// `npm run synth`, and the app of CDK's CLI (cdk.json): says where the templates for AWS are, or why there are none.
try {
  console.log(synthesize(aws, process.env.CDK_OUTDIR ?? join(PROJECT, 'cdk.out')))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
