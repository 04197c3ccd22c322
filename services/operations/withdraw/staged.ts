import pMap from 'p-map'
import { Manifest } from '../../../schemas/manifest.ts'
import { readSlot } from '../../jobs/settle.ts'
import { batchIdOf, stagingFolder } from '../../ledger/ids.ts'
import type { Run } from '../../ledger/run.ts'
import type { Landfall } from '../connect.ts'

type Deps = Pick<Landfall, 'ledger' | 'objects' | 'stagingBucket'>

/** A batch's folder, with whose runs of ours were in it. */
export type Batch = { folder: string; sourceIds: string[] }

/**
 * The folders of staging that have rows of these runs. The ledger names the last batch of a run; one that failed and was tried
 * again is known by its manifest alone, so those since the first of the runs are read.
 * Without the batches at work, whose job still needs what is there.
 */
export async function stagedBatches(
  { ledger, objects, stagingBucket }: Deps,
  dataset: string,
  runs: Run[],
): Promise<Batch[]> {
  const first = runs.map(({ registeredAt }) => registeredAt).sort()[0]
  if (first === undefined) return []
  const wanted = new Set(runs.map(({ runId }) => runId))
  const since = batchIdOf(dataset, first.replaceAll(/[-:.]/g, ''))
  const found = await Promise.all(
    (['convert', 'partition'] as const).map(async (stage) => {
      const slot = await readSlot(ledger, { stage, dataset })
      const names = await objects.folders(stagingBucket, `${stage}/`)
      const batches = names.filter(
        (name) => name.startsWith(batchIdOf(dataset, '')) && name >= since && name !== slot?.batch,
      )
      return await pMap(
        batches,
        async (batch) => {
          const folder = stagingFolder(stage, batch)
          const text = await objects.getText(stagingBucket, `${folder}manifest.json`)
          const { data } = Sources.safeParse(text && JSON.parse(text))
          const ours = (data?.sources ?? []).filter(({ runId }) => wanted.has(runId))
          return { folder, sourceIds: ours.map(({ sourceId }) => sourceId) }
        },
        { concurrency: 16 },
      )
    }),
  )
  return found.flat().filter(({ sourceIds }) => sourceIds.length > 0)
}

const Sources = Manifest.pick({ sources: true })
