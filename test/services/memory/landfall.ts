import { servedVersion } from '../../../services/catalog/view.ts'
import type { Depth } from '../../../services/letters/queues.ts'
import type { Landfall } from '../../../services/operations/connect.ts'
import { MemoryArchives, ruleOf } from './archives.ts'
import { MemoryListing } from './listing.ts'
import { MemoryMachine } from './machine.ts'
import { memoryS3 } from './s3-client.ts'
import { MemoryVersions } from './versions.ts'
import { DELIVERY, PROCESSING, QUARANTINE, RAW, STAGING, type World } from './world.ts'

const RESULTS = 'results'
/** As on AWS. */
const VERSIONED = { noncurrent: 90 }
const RETENTION = {
  [RAW]: VERSIONED,
  [PROCESSING]: VERSIONED,
  [DELIVERY]: VERSIONED,
  [QUARANTINE]: VERSIONED,
  [STAGING]: { objects: 7 },
  [RESULTS]: { objects: 30 },
}

/** What people's operations see of a world. `depths` by the queue's url; without one, a queue is empty. */
export function landfallOf(world: World, depths: Record<string, Depth> = {}) {
  return {
    s3: memoryS3(world.objects),
    objects: world.objects,
    versions: new MemoryVersions(world.objects, RETENTION),
    ledger: world.books,
    listing: new MemoryListing(world.table),
    datasets: ['sales'],
    queues: ['unzip', 'convert', 'partition', 'catalog'].flatMap((stage) => [
      { stage, kind: 'work' as const, url: stage },
      { stage, kind: 'dead' as const, url: `${stage}-dead` },
      { stage, kind: 'dead' as const, event: 'Landed', url: `${stage}-rule` },
    ]),
    machine: new MemoryMachine(world),
    contractVersions: async (dataset: string) => ({
      served: await servedVersion(world.deps, dataset),
      deployed: world.contracts.get(dataset)?.version,
    }),
    archives: new MemoryArchives(world),
    objectRules: {
      unzip: ruleOf('unzip'),
      convert: ruleOf('convert'),
      partition: ruleOf('partition'),
      catalog: ruleOf('catalog'),
    },
    depthLag: 0,
    depth: async (url: string) => depths[url] ?? { waiting: 0, inFlight: 0 },
    rawBucket: RAW,
    processingBucket: PROCESSING,
    deliveryBucket: DELIVERY,
    quarantineBucket: QUARANTINE,
    stagingBucket: STAGING,
    resultsBucket: RESULTS,
  } satisfies Partial<Landfall>
}
