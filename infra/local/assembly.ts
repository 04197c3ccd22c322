import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { localAccount, localRegion } from './runtime.ts'

const CloudManifest = z.object({
  artifacts: z.record(
    z.string(),
    z.object({
      type: z.string(),
      dependencies: z.array(z.string()).default([]),
      properties: z
        .object({ templateFile: z.string().optional(), stackName: z.string().optional(), file: z.string().optional() })
        .optional(),
    }),
  ),
})

const AssetManifest = z.object({
  files: z
    .record(
      z.string(),
      z.object({
        source: z.object({ path: z.string(), packaging: z.enum(['file', 'zip']).default('file') }),
        destinations: z.record(z.string(), z.object({ bucketName: z.string(), objectKey: z.string() })),
      }),
    )
    .default({}),
  dockerImages: z.record(z.string(), z.unknown()).default({}),
})

/** A file or folder that the stacks refer to, and where they expect it. */
export type Asset = { path: string; packaging: 'file' | 'zip'; bucket: string; key: string }
export type Stack = { name: string; template: string }

/**
 * Reads what `cdk synth` wrote: the stacks, each after those that it depends on, and their assets.
 * @throws Error when the app has container images, which nothing here could build
 */
export async function readAssembly(folder: string): Promise<{ stacks: Stack[]; assets: Asset[] }> {
  const { artifacts } = CloudManifest.parse(await readJson(join(folder, 'manifest.json')))
  const stacks: Stack[] = []
  const assets: Asset[] = []
  const visited = new Set<string>()
  const visit = async (id: string): Promise<void> => {
    const artifact = artifacts[id]
    if (!artifact || visited.has(id)) return
    visited.add(id)
    for (const dependency of artifact.dependencies) await visit(dependency)
    const { templateFile, stackName = id, file } = artifact.properties ?? {}
    if (artifact.type === 'aws:cloudformation:stack' && templateFile) {
      stacks.push({ name: stackName, template: join(folder, templateFile) })
    }
    if (artifact.type === 'cdk:asset-manifest' && file) assets.push(...(await readAssets(folder, file)))
  }
  for (const id of Object.keys(artifacts)) await visit(id)
  return { stacks, assets }
}

async function readAssets(folder: string, file: string): Promise<Asset[]> {
  const { files, dockerImages } = AssetManifest.parse(await readJson(join(folder, file)))
  if (Object.keys(dockerImages).length > 0)
    throw new Error(`${file} has container images; the local runtime takes only files.`)
  return Object.values(files).flatMap(({ source, destinations }) =>
    Object.values(destinations).map(({ bucketName, objectKey }) => ({
      path: join(folder, source.path),
      packaging: source.packaging,
      bucket: fill(bucketName),
      key: fill(objectKey),
    })),
  )
}

const PLACEHOLDERS: Record<string, string> = {
  'AWS::AccountId': localAccount,
  'AWS::Region': localRegion,
  'AWS::Partition': 'aws',
}

const fill = (text: string) => text.replace(/\$\{([^}]+)\}/g, (whole, name) => PLACEHOLDERS[name] ?? whole)

const readJson = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, 'utf8'))
