import { readdir, readFile } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { type Capability, CloudFormation } from '@aws-sdk/client-cloudformation'
import { BucketAlreadyOwnedByYou, S3 } from '@aws-sdk/client-s3'
import { ZipFile } from 'yazl'
import { type Asset, readAssembly, type Stack } from './assembly.ts'
import { until } from './process.ts'
import { clientConfig, localAccount, localRegion } from './runtime.ts'

/** By stack name, then by output key. */
export type StackOutputs = Record<string, Record<string, string>>

const STACK_MS = 120_000

/**
 * Publishes a cloud assembly's assets and creates its stacks, in their order, or updates those that are there.
 * @throws Error naming the resources that failed and why; the signal's reason, between two steps, when it aborts
 */
export async function deployLocal(
  endpoint: string,
  assemblyDir: string,
  onProgress: (message: string) => void,
  signal?: AbortSignal,
): Promise<StackOutputs> {
  const { stacks, assets } = await readAssembly(assemblyDir)
  const bucket = `landfall-templates-${localAccount}-${localRegion}`
  // Templates go through S3: as a parameter they are limited to 51,200 bytes.
  const templates = stacks.map(
    ({ name, template }): Asset => ({ path: template, packaging: 'file', bucket, key: `${name}.json` }),
  )
  signal?.throwIfAborted()
  onProgress(`Publishing ${assets.length} assets`)
  await publish(endpoint, [...assets, ...templates])
  const outputs: StackOutputs = {}
  for (const stack of stacks) {
    signal?.throwIfAborted()
    outputs[stack.name] = await put(endpoint, stack, `${endpoint}/${bucket}/${stack.name}.json`, onProgress)
  }
  return outputs
}

async function publish(endpoint: string, assets: Asset[]): Promise<void> {
  const s3 = new S3({ ...clientConfig(endpoint), forcePathStyle: true })
  try {
    for (const Bucket of new Set(assets.map(({ bucket }) => bucket))) {
      await s3.createBucket({ Bucket }).catch((error: unknown) => {
        if (!(error instanceof BucketAlreadyOwnedByYou)) throw error
      })
    }
    await Promise.all(
      assets.map(async ({ path, packaging, bucket, key }) => {
        const Body = packaging === 'zip' ? await zipFolder(path) : await readFile(path)
        await s3.putObject({ Bucket: bucket, Key: key, Body })
      }),
    )
  } finally {
    s3.destroy()
  }
}

/** The same bytes for the same files, whenever and wherever it runs. Stored, not deflated: it travels to this machine. */
export async function zipFolder(folder: string): Promise<Buffer> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name))
  const zip = new ZipFile()
  for (const file of files.sort()) {
    const name = relative(folder, file).split(sep).join('/')
    zip.addBuffer(await readFile(file), name, { mtime: new Date(0), mode: 0o100644, compress: false })
  }
  zip.end()
  return buffer(zip.outputStream)
}

async function put(
  endpoint: string,
  stack: Stack,
  TemplateURL: string,
  onProgress: (message: string) => void,
): Promise<Record<string, string>> {
  const formation = new CloudFormation(clientConfig(endpoint))
  const StackName = stack.name
  const describe = async () => (await formation.describeStacks({ StackName })).Stacks?.[0]
  const Capabilities: Capability[] = ['CAPABILITY_IAM', 'CAPABILITY_NAMED_IAM']
  try {
    let found = await describe().catch(noSuchStack)
    onProgress(`${found ? 'Updating' : 'Creating'} ${StackName}`)
    const changes = found
      ? await formation.updateStack({ StackName, TemplateURL, Capabilities }).then(() => true, nothingToUpdate)
      : await formation.createStack({ StackName, TemplateURL, Capabilities }).then(() => true)
    const settled = async () => {
      found = await describe()
      return !found?.StackStatus?.endsWith('_IN_PROGRESS')
    }
    const inTime = await until(settled, STACK_MS, 50)
    // A stack that was rolled back once, and is asked for what it has, is as it should be.
    if (!changes || found?.StackStatus === 'CREATE_COMPLETE' || found?.StackStatus === 'UPDATE_COMPLETE') {
      return Object.fromEntries(
        (found?.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]),
      )
    }
    const state = inTime ? `ended as ${found?.StackStatus}` : `was not complete after ${STACK_MS / 1000} s`
    throw new Error(`Stack ${StackName} ${state}:\n${(await reasons(formation, StackName)).join('\n')}`)
  } finally {
    formation.destroy()
  }
}

const says = (error: unknown, words: string) => error instanceof Error && error.message.includes(words)

function noSuchStack(error: unknown): undefined {
  if (!says(error, 'does not exist')) throw error
}

function nothingToUpdate(error: unknown): false {
  if (!says(error, 'No updates are to be performed')) throw error
  return false
}

async function reasons(formation: CloudFormation, StackName: string): Promise<string[]> {
  const { StackEvents = [] } = await formation.describeStackEvents({ StackName })
  return StackEvents.filter(({ ResourceStatus }) => ResourceStatus?.endsWith('_FAILED'))
    .reverse()
    .map(
      (event) =>
        `- ${event.LogicalResourceId} (${event.ResourceType}): ${event.ResourceStatusReason ?? 'no reason given'}`,
    )
}
