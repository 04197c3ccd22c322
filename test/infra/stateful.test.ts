import { Duration } from 'aws-cdk-lib/core'
import { describe, expect, it } from 'vitest'
import { aws, laptop } from '../../infra/config.ts'
import type { GlueTable } from '../../schemas/compiler/glue-table.ts'
import { rejectsTable } from '../../schemas/rejects.ts'
import { runsTable } from '../../schemas/runs.ts'
import { list, type Resource, resources, type Statement, templates, text } from './templates.ts'

const { templates: onLaptop } = templates(laptop())
const { templates: onAws, stateful: awsStack } = templates(aws)

const BUCKETS = ['Raw', 'Processing', 'Delivery', 'Quarantine', 'Staging', 'Results']
const buckets = resources(onLaptop.stateful, 'AWS::S3::Bucket').map(([id, { Properties }]) => ({
  name: id.replace(/[0-9A-F]{8}$/, ''),
  id,
  Properties,
}))
const having = (property: (properties: Record<string, unknown>) => unknown) =>
  buckets.filter(({ Properties }) => property(Properties)).map(({ name }) => name)
const rules = (properties: Record<string, unknown>) =>
  (properties.LifecycleConfiguration as { Rules: Record<string, unknown>[] }).Rules

describe('buckets', () => {
  it('are the six of the design', () => {
    expect(buckets.map(({ name }) => name)).toEqual(BUCKETS)
  })

  it('keep versions, but for staging and query results, which are not the truth of anything', () => {
    const versioned = having(({ VersioningConfiguration }) => text(VersioningConfiguration) === '{"Status":"Enabled"}')
    expect(versioned).toEqual(['Raw', 'Processing', 'Delivery', 'Quarantine'])
  })

  it('tell EventBridge of their objects where a stage listens, and nowhere else', () => {
    const telling = having(({ NotificationConfiguration }) => NotificationConfiguration)
    expect(telling).toEqual(['Raw', 'Processing', 'Delivery'])
    for (const { Properties } of buckets.filter(({ name }) => telling.includes(name))) {
      expect(Properties.NotificationConfiguration).toEqual({ EventBridgeConfiguration: { EventBridgeEnabled: true } })
    }
  })

  it.each(buckets)('$name is encrypted and closed to the public', ({ Properties }) => {
    expect(Properties.BucketEncryption).toEqual({
      ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
    })
    expect(Properties.PublicAccessBlockConfiguration).toEqual({
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    })
  })

  it.each(buckets)('$name denies everything that does not come over TLS', ({ id }) => {
    const denied = resources(onLaptop.stateful, 'AWS::S3::BucketPolicy')
      .filter(([, { Properties }]) => text(Properties.Bucket) === `<${id}>`)
      .flatMap(([, { Properties }]) => (Properties.PolicyDocument as { Statement: Statement[] }).Statement)
    expect(denied).toEqual([
      {
        Effect: 'Deny',
        Principal: { AWS: '*' },
        Action: 's3:*',
        Resource: [{ 'Fn::GetAtt': [id, 'Arn'] }, { 'Fn::Join': ['', [{ 'Fn::GetAtt': [id, 'Arn'] }, '/*']] }],
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
      },
    ])
  })

  it.each(buckets)('$name drops uploads that nobody completes', ({ Properties }) => {
    expect(rules(Properties)).toContainEqual({
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
      Status: 'Enabled',
    })
  })

  it('expire objects only in staging and query results, and old versions only elsewhere', () => {
    expect(having((properties) => rules(properties).some(({ ExpirationInDays }) => ExpirationInDays))).toEqual([
      'Staging',
      'Results',
    ])
    const old = having((properties) => rules(properties).some((rule) => rule.NoncurrentVersionExpiration))
    expect(old).toEqual(['Raw', 'Processing', 'Delivery', 'Quarantine'])
  })
})

describe('ledger', () => {
  it('is one table, read and paid by request, whose old items DynamoDB removes', () => {
    onLaptop.stateful.resourceCountIs('AWS::DynamoDB::Table', 1)
    onLaptop.stateful.hasResourceProperties('AWS::DynamoDB::Table', {
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      BillingMode: 'PAY_PER_REQUEST',
      TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
      GlobalSecondaryIndexes: [
        {
          IndexName: 'byTime',
          KeySchema: [
            { AttributeName: 'listing', KeyType: 'HASH' },
            { AttributeName: 'listedAt', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'ALL' },
        },
      ],
    })
  })

  it('can be put back to any second on AWS', () => {
    onAws.stateful.hasResourceProperties('AWS::DynamoDB::Table', {
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
    })
  })
})

describe('catalog', () => {
  type TableInput = {
    Name: string
    PartitionKeys: unknown
    StorageDescriptor: { Location: unknown; Columns: { Name: string; Type: string }[] }
  }
  const tables = resources(onLaptop.stateful, 'AWS::Glue::Table').map(([, { Properties }]) => ({
    table: Properties,
    input: Properties.TableInput as TableInput,
  }))
  const tableNamed = (name: string) => tables.find(({ input }) => input.Name === name) ?? expect.fail(`no ${name}`)

  it('has the table that people query, over the delivery zone of its dataset, with lower-case names', () => {
    const { table, input } = tableNamed('data_deliveryzone')
    expect([table?.DatabaseName, input.Name]).toEqual(['deliverydatabase', 'data_deliveryzone'])
    expect(text(input.StorageDescriptor.Location)).toMatch(/^s3:\/\/<Delivery[0-9A-F]{8}>\/data\/sales\/$/)
    expect(input.PartitionKeys).toMatchObject([{ Name: 'country', Type: 'string' }])
    expect(input.StorageDescriptor.Columns).toContainEqual(
      expect.objectContaining({ Name: 'total_revenue', Type: 'decimal(10,2)' }),
    )
  })
})

describe('rejects', () => {
  it('are a table of the same database, over the rejects of all datasets in the quarantine, and not partitioned', () => {
    const [, rejects] = resources(onLaptop.stateful, 'AWS::Glue::Table').map(([, { Properties }]) => Properties)
    expect(rejects?.DatabaseName).toBe('deliverydatabase')
    const input = rejects?.TableInput as { StorageDescriptor: { Location: unknown } }
    expect(input).toMatchObject({
      Name: 'rejects',
      TableType: 'EXTERNAL_TABLE',
      PartitionKeys: [],
      StorageDescriptor: {
        Columns: [
          { Name: 'dataset', Type: 'string' },
          { Name: 'source_id', Type: 'string' },
          { Name: 'run_id', Type: 'string' },
          { Name: 'line', Type: 'bigint' },
          { Name: 'column_name', Type: 'string' },
          { Name: 'value', Type: 'string' },
          { Name: 'reason', Type: 'string' },
          { Name: 'original', Type: 'string' },
        ],
      },
    })
    expect(text(input.StorageDescriptor.Location)).toMatch(/^s3:\/\/<Quarantine[0-9A-F]{8}>\/rejects\/$/)
  })

  it('leave their name to no contract', () => {
    const like = { name: 'rejects' } as GlueTable
    expect(() => rejectsTable(like, 's3://q/rejects/')).toThrow(
      'A contract\'s table is named "rejects", which is the table of rejected rows. Give it another name.',
    )
  })
})

describe('runs', () => {
  it('are a table of the same database, of JSON, over the runs of all datasets in the quarantine, and not partitioned', () => {
    const [, , runs] = resources(onLaptop.stateful, 'AWS::Glue::Table').map(([, { Properties }]) => Properties)
    expect(runs?.DatabaseName).toBe('deliverydatabase')
    const input = runs?.TableInput as { StorageDescriptor: { Location: unknown; Columns: unknown } }
    expect(input).toMatchObject({
      Name: 'runs',
      TableType: 'EXTERNAL_TABLE',
      PartitionKeys: [],
      Parameters: { classification: 'json' },
      StorageDescriptor: { SerdeInfo: { SerializationLibrary: 'org.openx.data.jsonserde.JsonSerDe' } },
    })
    expect(input.StorageDescriptor.Columns).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ Name: 'run_id', Type: 'string' }),
        expect.objectContaining({ Name: 'ended_at', Type: 'timestamp' }),
        expect.objectContaining({ Name: 'cost_usd', Type: 'double' }),
      ]),
    )
    expect(text(input.StorageDescriptor.Location)).toMatch(/^s3:\/\/<Quarantine[0-9A-F]{8}>\/runs\/$/)
  })

  it('leave their name to no contract', () => {
    expect(() => runsTable({ name: 'runs' } as GlueTable, 's3://q/runs/')).toThrow(
      'A contract\'s table is named "runs", which is the table of runs. Give it another name.',
    )
  })
})

describe('archive', () => {
  const [[, { Properties }]] = resources(onLaptop.stateful, 'AWS::Events::Archive') as [[string, Resource]]

  it("keeps the object events of the three zones, of what the stages' rules name, and replayed ones not again", () => {
    expect(text(Properties.SourceArn)).toMatch(/:events:<AWS::Region>:<AWS::AccountId>:event-bus\/default$/)
    const { detail, ...pattern } = Properties.EventPattern as {
      detail: { bucket: { name: unknown[] }; object: object }
    }
    expect(pattern).toEqual({
      source: ['aws.s3'],
      'detail-type': ['Object Created', 'Object Deleted'],
      'replay-name': [{ exists: false }],
    })
    expect(detail.bucket.name.map(text)).toEqual([
      expect.stringMatching(/^<Raw/),
      expect.stringMatching(/^<Processing/),
      expect.stringMatching(/^<Delivery/),
    ])
    expect(detail.object).toEqual({ key: [{ prefix: 'landing/' }, { prefix: 'data/' }] })
  })

  it('keeps them for as long as the configuration says: 90 days on AWS, a day on a laptop', () => {
    expect(Properties.RetentionDays).toBe(1)
    onAws.stateful.hasResourceProperties('AWS::Events::Archive', { RetentionDays: 90 })
    const { templates: longer } = templates(laptop({ archiveRetention: Duration.days(400) }))
    longer.stateful.hasResourceProperties('AWS::Events::Archive', { RetentionDays: 400 })
  })
})

describe('deleting data', () => {
  const kept = [
    'AWS::S3::Bucket',
    'AWS::DynamoDB::Table',
    'AWS::Glue::Database',
    'AWS::Glue::Table',
    'AWS::Events::Archive',
  ]
  const policies = (template: typeof onAws.stateful) =>
    kept.flatMap((type) => resources(template, type).map(([, { DeletionPolicy }]) => DeletionPolicy))

  it('takes two switches on AWS: everything outlives its stack, and stack and ledger refuse deletion', () => {
    expect(new Set(policies(onAws.stateful))).toEqual(new Set(['Retain']))
    expect(awsStack.terminationProtection).toBe(true)
    onAws.stateful.hasResourceProperties('AWS::DynamoDB::Table', { DeletionProtectionEnabled: true })
  })

  it('leaves nothing behind on a laptop, where tables go with their database', () => {
    const byTable = resources(onLaptop.stateful, 'AWS::Glue::Table').map(([, { Properties, DeletionPolicy }]) => {
      const { Name } = Properties.TableInput as { Name: string }
      return `${Name} ${DeletionPolicy}`
    })
    // Also on a laptop, the next version of a contract leaves the table of this one where people read it.
    expect(byTable).toEqual(['data_deliveryzone Retain', 'rejects Delete', 'runs Delete'])
    const others = kept.filter((type) => type !== 'AWS::Glue::Table')
    const policies = others.flatMap((type) =>
      resources(onLaptop.stateful, type).map(([, { DeletionPolicy }]) => DeletionPolicy),
    )
    expect(new Set(policies)).toEqual(new Set(['Delete']))
  })

  it('is never done by a function: no custom resource empties a bucket', () => {
    const types = [onAws, onLaptop].flatMap(({ stateful }) => resources(stateful).map(([, { Type }]) => Type))
    expect(types.filter((type) => /^Custom::|CustomResource|Lambda/.test(type))).toEqual([])
  })
})

describe('names', () => {
  it('are generated by CloudFormation, but for the database and table that people write in SQL', () => {
    const named = resources(onLaptop.stateful).flatMap(([, { Type, Properties }]) =>
      Object.keys(Properties)
        .filter((key) => /^((Bucket|Table|Role|Queue|Archive)Name|Name)$/.test(key))
        .map((key) => `${Type} ${key}`),
    )
    expect(named).toEqual([])
  })

  it('are put out for people and the CLI', () => {
    const outputs = Object.keys(onLaptop.stateful.findOutputs('*')).filter((name) => !name.startsWith('Exports'))
    expect(outputs).toEqual([...list(BUCKETS).map((name) => `${name}Bucket`), 'LedgerTable', 'Archive'])
  })
})
