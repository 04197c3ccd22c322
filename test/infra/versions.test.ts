import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DATASETS, laptop } from '../../infra/config.ts'
import { allowed, placesOf, resources, runnersOf, type Statement, templates, text } from './templates.ts'

/** The shipped contract under a version. */
function versioned(version: number) {
  const folder = join(mkdtempSync(join(tmpdir(), 'landfall-versions-')), 'datasets')
  mkdirSync(folder)
  const sales = JSON.parse(readFileSync(join(DATASETS, 'sales.json'), 'utf8')) as object
  writeFileSync(join(folder, 'sales.json'), JSON.stringify({ ...sales, version }))
  return templates({ ...laptop(), datasets: folder }).templates
}

const [first, third] = [versioned(1), versioned(3)]
const glueTables = ({ stateful }: typeof first) =>
  resources(stateful, 'AWS::Glue::Table').map(([id, { Properties, DeletionPolicy }]) => {
    const input = Properties.TableInput as { Name: string; StorageDescriptor: { Location: unknown } }
    return { id, name: input.Name, location: text(input.StorageDescriptor.Location), DeletionPolicy }
  })
const on = (rights: string[], action: string) =>
  rights
    .filter((right) => right.startsWith(`${action} `))
    .map((right) => right.replace(/^.*<AWS::AccountId>:(?:(?:table|database)\/)?/, ''))
const rightsOf = (name: string) =>
  allowed(runnersOf(third.stateless).find((runner) => runner.name === name)?.statements ?? [])

describe('a later version of a contract', () => {
  it('has a table and a folder of its own', () => {
    expect(glueTables(third)[0]).toMatchObject({
      name: 'data_deliveryzone_v3',
      location: expect.stringMatching(/>\/data\/sales\.v3\/$/),
    })
  })

  it('is another resource than the version before, whose table outlives its leaving the template', () => {
    const [before] = glueTables(first)
    expect(before).toMatchObject({ name: 'data_deliveryzone', DeletionPolicy: 'Retain' })
    expect(glueTables(third).map(({ id }) => id)).not.toContain(before?.id)
    // The other table stays the same.
    expect(glueTables(third)[1]).toEqual(glueTables(first)[1])
  })

  it('is what a crawler of its own crawls and may read: one that is running cannot be changed', () => {
    const [[id, crawler] = expect.fail('no crawler'), ...others] = resources(third.stateless, 'AWS::Glue::Crawler')
    expect(others).toEqual([])
    expect(resources(first.stateless, 'AWS::Glue::Crawler').map(([id]) => id)).not.toContain(id)
    expect(crawler.Properties.Targets).toEqual({
      CatalogTargets: [{ DatabaseName: 'deliverydatabase', Tables: ['data_deliveryzone_v3'] }],
    })
    expect(placesOf(runnersOf(third.stateless))('Crawlersalesv3', 's3:GetObject')).toEqual([
      '<Delivery>/data/sales.v3/',
    ])
    expect(on(rightsOf('Crawlersalesv3'), 'glue:UpdateTable')).toContain('deliverydatabase/data_deliveryzone_v3')
  })

  it.each(['Catalog', 'Sweep'])(
    'lets %s switch the name that people query, and repair what they may still be reading',
    (name) => {
      const places = ['catalog', 'deliverydatabase', 'deliverydatabase/data_deliveryzone']
      for (const action of ['glue:CreateTable', 'glue:UpdateTable']) expect(on(rightsOf(name), action)).toEqual(places)
      const later = ['deliverydatabase/data_deliveryzone_v2', 'deliverydatabase/data_deliveryzone_v3']
      for (const action of ['glue:GetTable', 'glue:BatchCreatePartition', 'glue:BatchDeletePartition'])
        expect(on(rightsOf(name), action)).toEqual([...places, ...later])
    },
  )

  it('lets the sweep alone drop a table that nobody is shown any more, and never the one of this version', () => {
    const view = ['catalog', 'deliverydatabase', 'deliverydatabase/data_deliveryzone']
    expect(on(rightsOf('Catalog'), 'glue:DeleteTable')).toEqual(view)
    expect([...new Set(on(rightsOf('Sweep'), 'glue:DeleteTable'))].sort()).toEqual([
      ...view,
      'deliverydatabase/data_deliveryzone_v2',
    ])
  })

  it('lets people read the view, the table below it, and that of any version they are switched from', () => {
    const [[, policy] = expect.fail('no policy')] = resources(third.stateless, 'AWS::IAM::ManagedPolicy')
    const { Statement } = policy.Properties.PolicyDocument as { Statement: Statement[] }
    expect(on(allowed(Statement), 'glue:GetPartitions')).toEqual([
      'catalog',
      'deliverydatabase',
      'deliverydatabase/data_deliveryzone',
      'deliverydatabase/data_deliveryzone_v2',
      'deliverydatabase/data_deliveryzone_v3',
      'deliverydatabase/rejects',
      'deliverydatabase/runs',
    ])
  })
})
