import { describe, expect, it } from 'vitest'
import { CrawlEnded } from '../../../events/crawl-ended.ts'
import { CsvLanded } from '../../../events/csv-landed.ts'
import { JobEnded } from '../../../events/job-ended.ts'
import { ParquetProcessed } from '../../../events/parquet-processed.ts'
import { RerunAsked } from '../../../events/rerun-asked.ts'
import { sample } from '../../../events/s3-object.ts'
import { aboutOf } from '../../../services/lambda/about.ts'
import { processingKey, runIdOf, sourceIdOf } from '../../../services/ledger/ids.ts'

describe('the log of an event', () => {
  it('has the same run id in each stage, live and replayed', () => {
    const landed = CsvLanded.sample('raw')
    const { key, 'version-id': version = '' } = landed.detail.object
    const runId = runIdOf(key, version, 'live')
    expect(aboutOf(landed, 'raw')).toEqual({
      eventId: landed.id,
      key,
      versionId: version,
      dataset: 'sales',
      sourceId: sourceIdOf(key),
      runId,
    })
    const typed = sample(
      'Object Created',
      'processing',
      processingKey('sales', sourceIdOf(key), runId, 1, 1),
      'CopyObject',
    )
    expect(aboutOf(typed, 'raw')).toMatchObject({ dataset: 'sales', sourceId: sourceIdOf(key), runId })
    const replayed = aboutOf({ ...landed, 'replay-name': 'convert-1' }, 'raw')
    expect(replayed).toMatchObject({ cause: 'convert-1', runId: runIdOf(key, version, 'convert-1') })
  })

  it('has what there is of an event that names no version or no object', () => {
    const asked = aboutOf(RerunAsked.sample('raw', 'data/sales/a.csv'), 'raw')
    expect(asked).toMatchObject({ cause: 'rerun-2026-11-24', sourceId: sourceIdOf('data/sales/a.csv') })
    expect(asked).not.toHaveProperty('runId')
    expect(aboutOf(JobEnded.sample('convert'), 'raw').jobRunId).toMatch(/^jr_/)
    expect(aboutOf(CrawlEnded.sample('sales'), 'raw')).toMatchObject({ crawlerName: 'sales' })
    expect(aboutOf(ParquetProcessed.sample('processing'), 'raw').runId).toMatch(/^[0-9a-f]+$/)
  })

  it.each([undefined, 'text', { detail: 1 }, {}])('is no failure of its own where the event is %j', (event) => {
    expect(aboutOf(event, 'raw')).toEqual({})
  })
})
