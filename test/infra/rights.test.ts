import { describe, expect, it } from 'vitest'
import { aws, laptop } from '../../infra/config.ts'
import {
  allowed,
  list,
  placesOf,
  resources,
  runnersOf,
  type Statement,
  statementsOf,
  templates,
  text,
} from './templates.ts'

const { templates: both } = templates(laptop())
const template = both.stateless
const { templates: onAws } = templates(aws)

const runners = runnersOf(template)
const everywhere = [...runners, ...runnersOf(onAws.stateless).map((each) => ({ ...each, name: `${each.name} on AWS` }))]
const rightsOf = (name: string) => allowed(runners.find((runner) => runner.name === name)?.statements ?? [])
const places = placesOf(runners)

/** AWS defines these on `*` only: X-Ray's, metrics, the list of replays, and the delivery of Step Functions' logs. */
const WITHOUT_RESOURCE =
  /^(xray:|cloudwatch:PutMetricData$|events:ListReplays$|logs:((Create|Get|Update|Delete)LogDelivery|ListLogDeliveries|PutResourcePolicy|DescribeResourcePolicies|DescribeLogGroups)$)/

describe('roles', () => {
  it('are one for each function, job and crawler, and the machine', () => {
    expect(runners.map(({ name }) => name).sort()).toEqual([
      'Catalog',
      'Convert',
      'Convert job',
      'Crawlersales',
      'Partition',
      'Partition job',
      'Rerun',
      'Sweep',
      'Unzip',
    ])
    expect(new Set(runners.map(({ role }) => text(role))).size).toBe(runners.length)
    expect(resources(template, 'AWS::IAM::Role')).toHaveLength(runners.length)
  })

  it("hold no managed policy, neither AWS's nor ours", () => {
    for (const each of [template, onAws.stateless]) {
      for (const [, { Properties }] of resources(each, 'AWS::IAM::Role')) {
        expect(Properties).not.toHaveProperty('ManagedPolicyArns')
      }
      expect(resources(each, 'AWS::IAM::ManagedPolicy').map(([id]) => id)).toEqual([
        expect.stringMatching(/^QueriesReaders/),
      ])
    }
  })

  it("leave one managed policy to people, who may ask through the work group's Athena and read nothing else", () => {
    const [, policy] = resources(template, 'AWS::IAM::ManagedPolicy')[0] ?? expect.fail('no policy')
    const { Statement } = policy.Properties.PolicyDocument as { Statement: Statement[] }
    for (const property of ['Roles', 'Users', 'Groups']) expect(policy.Properties).not.toHaveProperty(property)
    const rights = allowed(Statement)
    const on = (action: string) =>
      rights
        .filter((right) => right.startsWith(`${action} `))
        .map((right) => right.slice(action.length + 1).replace(/^.*<AWS::AccountId>:/, ''))
        .sort()
    expect(on('s3:GetObject')).toEqual([
      '<Delivery>/data/*',
      '<Quarantine>/rejects/*',
      '<Quarantine>/runs/*',
      '<Results>/results/*',
    ])
    expect(on('s3:PutObject')).toEqual(['<Results>/results/*'])
    expect(on('glue:GetTable')).toEqual([
      'catalog',
      'database/deliverydatabase',
      'table/deliverydatabase/data_deliveryzone',
      'table/deliverydatabase/rejects',
      'table/deliverydatabase/runs',
    ])
    expect(on('athena:StartQueryExecution')).toEqual([
      expect.stringMatching(/^workgroup\/<QueriesWorkGroup[0-9A-F]{8}>$/),
    ])
    for (const right of rights)
      expect(right).toMatch(/^(s3:(Get|List|Put|AbortMulti)|glue:Get|athena:(Get|Start|Stop)Q?)/)
  })

  it.each(everywhere)('of $name names every action, and every resource where AWS has one', ({ statements }) => {
    expect(statements.length).toBeGreaterThan(0)
    for (const { Effect, Action, Resource } of statements) {
      expect(Effect).toBe('Allow')
      for (const action of list(Action)) expect(action).not.toContain('*')
      const none = list(Action).every((action) => WITHOUT_RESOURCE.test(action))
      for (const resource of list(Resource).map(text)) {
        if (!none) expect(resource).toMatch(/^(arn:.*:|<)[^*]+(\/\*|\*)?$/)
      }
    }
  })

  it.each(everywhere)('of $name fits in the 10,240 characters of inline policies', ({ statements }) => {
    // The longest of them, the ledger's ARN, has some 100 characters.
    const reference = /\{"Fn::(ImportValue|GetAtt)":[^}]*\}|\{"Ref":[^}]*\}/g
    const written = JSON.stringify(statements).replace(reference, '"'.padEnd(100, 'x'))
    expect(written.length).toBeLessThan(10_240)
  })
})

describe('objects', () => {
  it('unzip may write members and archived zips, and take out what a newer zip withdraws', () => {
    expect(places('Unzip', 's3:PutObject')).toEqual([
      '<Quarantine>/refused/',
      '<Quarantine>/runs/',
      '<Raw>/data/',
      '<Raw>/old-data/',
    ])
    // A replay extracts a zip from where it is kept.
    expect(places('Unzip', 's3:GetObject')).toEqual(['<Raw>/data/', '<Raw>/landing/', '<Raw>/old-data/'])
    expect(places('Unzip', 's3:DeleteObject')).toEqual([
      '<Delivery>/data/',
      '<Processing>/data/',
      '<Raw>/data/',
      '<Raw>/landing/',
    ])
  })

  it('convert may publish to processing and quarantine, and partition to delivery', () => {
    expect(places('Convert', 's3:PutObject')).toEqual([
      '<Processing>/data/',
      '<Quarantine>/refused/',
      '<Quarantine>/rejects/',
      '<Quarantine>/runs/',
      '<Staging>/convert/',
    ])
    expect(places('Partition', 's3:PutObject')).toEqual([
      '<Delivery>/data/',
      '<Quarantine>/refused/',
      '<Quarantine>/runs/',
      '<Staging>/partition/',
    ])
  })

  it('catalog may read none, only list, and write nothing but the history of runs', () => {
    expect(
      rightsOf('Catalog')
        .filter((right) => right.startsWith('s3:'))
        .sort(),
    ).toEqual([
      's3:AbortMultipartUpload <Quarantine>/runs/*',
      's3:ListBucket <Delivery>',
      's3:PutObject <Quarantine>/runs/*',
    ])
  })

  it('jobs may write to their own stage of staging and nowhere else', () => {
    expect(places('Convert job', 's3:PutObject')).toEqual(['<Staging>/convert/'])
    expect(places('Partition job', 's3:PutObject')).toEqual(['<Staging>/partition/'])
    expect(places('Convert job', 's3:GetObject')).toEqual(['<Raw>/data/', '<Staging>/convert/'])
    expect(places('Partition job', 's3:GetObject')).toEqual(['<Processing>/data/', '<Staging>/partition/'])
    for (const job of ['Convert job', 'Partition job']) expect(places(job, 's3:DeleteObject')).toEqual([])
  })

  it('jobs may list where their sources are, or a source that is gone would look like a right that is missing', () => {
    expect(places('Convert job', 's3:ListBucket')).toEqual(['<Raw>'])
    expect(places('Partition job', 's3:ListBucket')).toEqual(['<Processing>'])
  })

  it('only unzip may take a version out for good, and only in the raw zone', () => {
    const may = runners.filter(({ name }) => places(name, 's3:DeleteObjectVersion').length > 0)
    expect(may.map(({ name }) => name)).toEqual(['Unzip'])
    expect(places('Unzip', 's3:DeleteObjectVersion')).toEqual(['<Raw>/data/', '<Raw>/landing/'])
  })

  it('no stage may write where its own rule listens', () => {
    const patterns = resources(template, 'AWS::Events::Rule').flatMap(([id, { Properties }]) => {
      const pattern = Properties.EventPattern as
        | { detail: { bucket?: { name: unknown[] }; object?: { key: { prefix: string }[] } } }
        | undefined
      const [bucket] = pattern?.detail.bucket?.name ?? []
      const [key] = pattern?.detail.object?.key ?? []
      return bucket && key
        ? [{ stage: /^[A-Z][a-z]+/.exec(id)?.[0] ?? '', place: `${text(bucket)}/${key.prefix}` }]
        : []
    })
    expect(patterns.map(({ stage, place }) => `${stage} ${place}`)).toEqual([
      'Unzip <Raw>/landing/',
      'Convert <Raw>/data/',
      'Partition <Processing>/data/',
      'Catalog <Delivery>/data/',
    ])
    for (const { stage, place } of patterns) {
      const writes = places(stage, 's3:PutObject')
      expect(
        writes.filter((written) => written.startsWith(place) || place.startsWith(written)),
        stage,
      ).toEqual([])
    }
  })
})

describe('glue', () => {
  const glueRights = (name: string) => rightsOf(name).filter((right) => right.startsWith('glue:'))

  it('convert and partition may run their own job, catalog its crawlers, and sweep all of them', () => {
    const started = (name: string) =>
      glueRights(name)
        .filter((right) => right.startsWith('glue:Start'))
        .map((right) => right.replace(/ .*:(job|crawler)\/<(\w+?)[0-9A-F]{8}>$/, ' $2'))
    expect(started('Convert')).toEqual(['glue:StartJobRun ConvertGlueJob'])
    expect(started('Partition')).toEqual(['glue:StartJobRun PartitionGlueJob'])
    expect(started('Catalog')).toEqual(['glue:StartCrawler CrawlersalesCrawler'])
    expect(started('Sweep').sort()).toEqual([...started('Catalog'), ...started('Convert'), ...started('Partition')])
    expect(started('Unzip')).toEqual([])
  })

  it("catalog may repair partitions of the contracts' tables and change no table", () => {
    const actions = new Set(glueRights('Catalog').map((right) => right.split(' ')[0]))
    expect([...actions].filter((action) => /Table|Partition/.test(action ?? '')).sort()).toEqual([
      'glue:BatchCreatePartition',
      'glue:BatchDeletePartition',
      'glue:GetPartitions',
      'glue:GetTable',
    ])
    const on = glueRights('Catalog').filter((right) => right.startsWith('glue:BatchDeletePartition'))
    expect(on.map((right) => right.replace(/.*<AWS::AccountId>:/, ''))).toEqual([
      'catalog',
      'database/deliverydatabase',
      'table/deliverydatabase/data_deliveryzone',
    ])
  })
})

describe('the sweep', () => {
  const onQueues = () =>
    rightsOf('Sweep')
      .filter((right) => right.startsWith('sqs:'))
      .map((right) => right.replace(/<(\w+?)[0-9A-F]{8}\.Arn>$/, '$1'))

  it('may look into the dead-letter queues of stages and rules, and take nothing out of them', () => {
    const dead = resources(template, 'AWS::SQS::Queue')
      .map(([id]) => id.replace(/[0-9A-F]{8}$/, ''))
      .filter((id) => id.endsWith('DeadLetters') && /^(Unzip|Convert|Partition|Catalog)/.test(id))
    expect(dead).toHaveLength(13)
    for (const action of ['sqs:GetQueueAttributes', 'sqs:ReceiveMessage', 'sqs:ChangeMessageVisibility'])
      expect(
        onQueues()
          .filter((right) => right.startsWith(`${action} `))
          .sort(),
      ).toEqual(dead.map((id) => `${action} ${id}`).sort())
  })

  it('may send a message to unzip alone, whose own work it may not do', () => {
    expect(onQueues().filter((right) => !/Attributes|Receive|Visibility/.test(right))).toEqual([
      // Where Lambda puts the minutes in which it failed.
      'sqs:SendMessage SweepDeadLetters',
      'sqs:SendMessage UnzipQueue',
    ])
    expect(places('Sweep', 's3:PutObject').filter((place) => place.startsWith('<Raw>'))).toEqual([])
    expect(places('Sweep', 's3:GetObject').filter((place) => place.startsWith('<Raw>'))).toEqual([
      '<Raw>/data/',
      '<Raw>/landing/',
    ])
  })
})

describe('rerun', () => {
  it('may list the raw zone, keep its own rows, ask, and run its children; it reads and writes no object', () => {
    const own = rightsOf('Rerun').filter((right) => !WITHOUT_RESOURCE.test(right.split(' ')[0] ?? ''))
    expect(own.map((right) => right.replace(/arn:.*<AWS::AccountId>:/, '').replace(/[0-9A-F]{8}/, '')).sort()).toEqual([
      'dynamodb:GetItem <Ledger>',
      'dynamodb:PutItem <Ledger>',
      'dynamodb:UpdateItem <Ledger>',
      'events:PutEvents event-bus/default',
      's3:ListBucket <Raw>',
      'states:DescribeExecution execution:<RerunMachine.Name>:*',
      'states:StartExecution <RerunMachine>',
      'states:StopExecution execution:<RerunMachine.Name>:*',
    ])
  })

  it('may be asked about by the sweep, which may not start or stop it', () => {
    const states = rightsOf('Sweep').filter((right) => right.startsWith('states:'))
    expect(states.map((right) => right.replace(/arn:.*<AWS::AccountId>:/, '').replace(/[0-9A-F]{8}/, ''))).toEqual([
      'states:DescribeExecution execution:<RerunMachine.Name>:*',
    ])
  })

  it('may touch no run in the ledger, and put no event in the name of a service', () => {
    const { statements } = runners.find(({ name }) => name === 'Rerun') ?? expect.fail('no machine')
    const condition = (action: string) => statements.find((each) => list(each.Action).includes(action))?.Condition
    expect(condition('dynamodb:PutItem')).toEqual({
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['RERUN#*', 'CAUSE#*'] },
    })
    expect(condition('events:PutEvents')).toEqual({
      'ForAllValues:StringEquals': { 'events:source': ['landfall'] },
    })
  })

  it('is started by its schedule with a role that may do nothing else', () => {
    const { templates: scheduled } = templates(laptop({ rerunSchedule: { sales: 'rate(7 days)' } }))
    const rules = resources(scheduled.stateless, 'AWS::Events::Rule').filter(([id]) => id.startsWith('RerunSchedule'))
    const [target] = rules.flatMap(([, { Properties }]) => Properties.Targets as { RoleArn: unknown }[])
    expect(allowed(statementsOf(scheduled.stateless, target?.RoleArn))).toEqual([
      expect.stringMatching(/^states:StartExecution <RerunMachine[0-9A-F]{8}>$/),
    ])
  })
})

describe('events', () => {
  it('of our own are put by every function, in our name only, and by no job or crawler', () => {
    const may = runners.filter(({ name }) => places(name, 'events:PutEvents').length > 0)
    expect(may.map(({ name }) => name).sort()).toEqual(['Catalog', 'Convert', 'Partition', 'Rerun', 'Sweep', 'Unzip'])
    for (const { name, statements } of may) {
      const [put, ...others] = statements.filter(({ Action }) => list(Action).includes('events:PutEvents'))
      expect([name, others]).toEqual([name, []])
      expect(text(put?.Resource)).toMatch(/:event-bus\/default$/)
      expect(put?.Condition).toEqual({ 'ForAllValues:StringEquals': { 'events:source': ['landfall'] } })
    }
  })
})
