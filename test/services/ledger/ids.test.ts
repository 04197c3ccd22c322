import { describe, expect, it } from 'vitest'
import {
  datasetOf,
  deliveredTo,
  deliveryKey,
  memberFolderOf,
  parseDeliveryKey,
  parseManifestUri,
  parseProcessingKey,
  processingKey,
  runIdOf,
  sourceIdOf,
  stagingFolder,
} from '../../../services/ledger/ids.ts'

describe('ids', () => {
  it('makes two sources of two zips that hold a member of one name, also where the zips have one name', () => {
    const zips = ['landing/sales/a.zip', 'landing/sales/2020/a.zip', 'landing/sales/b.zip']
    const members = zips.map((zip) => `${memberFolderOf('sales', zip)}x.csv`)
    expect(new Set(members).size).toBe(3)
    expect(new Set(members.map(sourceIdOf)).size).toBe(3)
  })

  it('keeps a name readable and short, whatever people call their files', () => {
    expect(sourceIdOf('data/sales/5000 Sales (Récords).CSV.gz')).toMatch(/^5000_Sales_R_cords_-[0-9a-f]{10}$/)
    expect(sourceIdOf(`data/sales/${'x'.repeat(300)}.csv`)).toMatch(/^x{40}-[0-9a-f]{10}$/)
    expect(sourceIdOf('data/sales/.csv')).toMatch(/^source-[0-9a-f]{10}$/)
    expect(memberFolderOf('sales', 'landing/sales/a b.ZIP')).toMatch(/^data\/sales\/a_b~[0-9a-f]{10}\/$/)
  })

  it.each(['été', ' sales', '_a', '.a', '..', '日本'])(
    'is never a hidden name, whose rows Athena would not read: %s',
    (name) => {
      expect(sourceIdOf(`data/sales/${name}.csv`)).toMatch(/^[A-Za-z0-9]/)
      expect(memberFolderOf('sales', `landing/sales/${name}.zip`)).toMatch(/^data\/sales\/[A-Za-z0-9]/)
    },
  )

  it('tells names apart that look the same once they are shortened', () => {
    expect(sourceIdOf('data/sales/a b.csv')).not.toBe(sourceIdOf('data/sales/a_b.csv'))
    expect(sourceIdOf('data/sales/a.csv')).not.toBe(sourceIdOf('data/sales/a.csv.gz'))
  })

  it('makes one run of one key, version and cause, and another of any other', () => {
    const run = runIdOf('k', 'v', 'live')
    expect(runIdOf('k', 'v', 'live')).toBe(run)
    const others = [runIdOf('l', 'v', 'live'), runIdOf('k', 'w', 'live'), runIdOf('k', 'v', 'convert-1')]
    expect(new Set([run, ...others]).size).toBe(4)
  })

  it('finds the dataset in the folder below the zone, and none in a key without such a folder', () => {
    expect(datasetOf('landing/sales/2020/a.zip')).toBe('sales')
    expect(datasetOf('landing/a.zip')).toBeUndefined()
    expect(datasetOf('landing//a.zip')).toBeUndefined()
  })

  it('reads back the processing keys that it writes, and no others', () => {
    const key = processingKey('sales', sourceIdOf('data/sales/a.csv'), runIdOf('k', 'v', 'live'), 2, 12)
    expect(key).toMatch(/-00002-of-00012\.parquet$/)
    expect(parseProcessingKey(key)).toEqual({
      dataset: 'sales',
      sourceId: sourceIdOf('data/sales/a.csv'),
      runId: runIdOf('k', 'v', 'live'),
      part: 2,
      parts: 12,
    })
    expect(parseProcessingKey(`${key}.tmp`)).toBeUndefined()
    expect(parseProcessingKey('data/sales/COUNTRY=Chad/a-1234567890-00001.parquet')).toBeUndefined()
  })

  it('puts a source under one name into a Hive folder, whatever its run', () => {
    expect(deliveryKey({ dataset: 'sales', version: 1 }, 'COUNTRY=Cote d%27Ivoire', 'a-1f2e3d4c5b', 1)).toBe(
      'data/sales/COUNTRY=Cote d%27Ivoire/a-1f2e3d4c5b-00001.parquet',
    )
  })

  it('reads back the delivery keys that it writes, of whatever version, and no others', () => {
    const folder = 'COUNTRY=Cote d%27Ivoire'
    for (const version of [1, 2, 10]) {
      const of = { dataset: 'sales', version }
      const key = deliveryKey(of, folder, 'a-1f2e3d4c5b', 3)
      expect(parseDeliveryKey(key)).toEqual({ ...of, folder, sourceId: 'a-1f2e3d4c5b' })
      expect(deliveredTo(key)).toEqual(of)
      expect(parseDeliveryKey(`${key}.tmp`)).toBeUndefined()
    }
    expect(deliveryKey({ dataset: 'sales', version: 2 }, folder, 'a-1f2e3d4c5b', 1)).toBe(
      'data/sales.v2/COUNTRY=Cote d%27Ivoire/a-1f2e3d4c5b-00001.parquet',
    )
    expect(parseDeliveryKey('data/sales/COUNTRY=Chad/by-hand.parquet')).toBeUndefined()
    expect(deliveredTo('data/sales/COUNTRY=Chad/by-hand.parquet')).toEqual({ dataset: 'sales', version: 1 })
    expect(deliveredTo('data/loose.parquet')).toBeUndefined()
  })

  it('reads the stage, dataset and batch of a job from its manifest', () => {
    const folder = stagingFolder('convert', 'sales~20260101T000000000Z-abc')
    expect(parseManifestUri(`s3://bucket/${folder}manifest.json`)).toEqual({
      stage: 'convert',
      dataset: 'sales',
      batch: 'sales~20260101T000000000Z-abc',
    })
    expect(parseManifestUri('s3://bucket/by-hand/manifest.json')).toBeUndefined()
  })
})
