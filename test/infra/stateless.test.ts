import { describe, expect, it } from 'vitest'
import { CrawlEnded } from '../../events/crawl-ended.ts'
import { CsvLanded } from '../../events/csv-landed.ts'
import { DeliveryChanged } from '../../events/delivery-changed.ts'
import { JobEnded } from '../../events/job-ended.ts'
import { ParquetProcessed } from '../../events/parquet-processed.ts'
import { RerunAsked } from '../../events/rerun-asked.ts'
import { ZipLanded } from '../../events/zip-landed.ts'
import { aws, laptop, STAGES } from '../../infra/config.ts'
import { CatalogEnv, ConvertEnv, PartitionEnv, SweepEnv, UnzipEnv } from '../../services/lambda/env.ts'
import { MAX_RECEIVES } from '../../services/lambda/receives.ts'
import { queuesOf } from '../../services/letters/queues.ts'
import { list, resources, type Statement, templates, text } from './templates.ts'

const { stateful, stateless, templates: both } = templates(laptop())
const template = both.stateless
const { templates: onAws } = templates(aws)

type Target = { Arn: unknown; DeadLetterConfig?: { Arn: unknown } }
const rules = resources(template, 'AWS::Events::Rule').map(([id, { Properties }]) => ({
  id,
  pattern: Properties.EventPattern,
  schedule: Properties.ScheduleExpression,
  targets: Properties.Targets as Target[],
}))
const queues = resources(template, 'AWS::SQS::Queue')
const functions = resources(template, 'AWS::Lambda::Function').map(([id, { Properties }]) => ({
  id,
  name: id.replace(/Function[0-9A-F]{8}$/, '').toLowerCase(),
  Properties,
}))
const environment = (name: string) => {
  const variables = functions.find((each) => each.name === name)?.Properties.Environment
  return (variables as { Variables: Record<string, unknown> }).Variables
}

describe('rules', () => {
  const raw = { bucket: stateful.raw.bucketName }
  const ref = (id: string) => ({ Ref: resources(template).find(([name]) => name.startsWith(id))?.[0] })
  const convertJob = ref('ConvertGlueJob') as unknown as string
  const partitionJob = ref('PartitionGlueJob') as unknown as string

  it.each([
    ['UnzipZipLanded', ZipLanded.pattern(raw)],
    ['ConvertCsvLanded', CsvLanded.pattern(raw)],
    ['UnzipRerunAsked', RerunAsked.pattern({ ...raw, prefix: 'landing/' })],
    ['ConvertRerunAsked', RerunAsked.pattern({ ...raw, prefix: 'data/' })],
    ['ConvertJobEnded', JobEnded.pattern({ jobName: convertJob })],
    ['PartitionParquetProcessed', ParquetProcessed.pattern({ bucket: stateful.processing.bucketName })],
    ['PartitionJobEnded', JobEnded.pattern({ jobName: partitionJob })],
    ['CatalogDeliveryChanged', DeliveryChanged.pattern({ bucket: stateful.delivery.bucketName })],
    ['CatalogCrawlEnded', CrawlEnded.pattern({ crawlers: [ref('CrawlersalesCrawler') as unknown as string] })],
  ])('%s has the pattern of its event, unchanged', (id, pattern) => {
    const rule = rules.find((each) => each.id.startsWith(id))
    expect(rule?.pattern).toEqual(stateless.resolve(pattern))
    expect(text(rule?.targets[0]?.Arn)).toMatch(/^<(Unzip|Convert|Partition|Catalog)Queue[0-9A-F]{8}\.Arn>$/)
    expect(text(rule?.targets[0]?.Arn)).toContain(/^[A-Z][a-z]+/.exec(id)?.[0])
  })

  it('wake sweep every minute, whatever happened, and there are no others', () => {
    expect(rules.filter(({ schedule }) => schedule).map(({ id, schedule }) => [id.slice(0, 5), schedule])).toEqual([
      ['Sweep', 'rate(1 minute)'],
    ])
    expect(rules).toHaveLength(10)
  })

  it("for objects put out their ARNs, each under its stage's and event's name, for replays", () => {
    const outputs = Object.entries(template.findOutputs('*'))
      .filter(([name]) => name.endsWith('Rule'))
      .map(([name, { Value }]) => [name, text(Value).replace(/[0-9A-F]{8}\.Arn>$/, '>')])
    expect(outputs).toEqual([
      ['UnzipZipLandedRule', '<UnzipZipLandedRule>'],
      ['ConvertCsvLandedRule', '<ConvertCsvLandedRule>'],
      ['PartitionParquetProcessedRule', '<PartitionParquetProcessedRule>'],
      ['CatalogDeliveryChangedRule', '<CatalogDeliveryChangedRule>'],
    ])
  })

  it('have a DLQ of their own each, for what EventBridge cannot deliver', () => {
    const own = rules.map(({ targets }) => text(targets[0]?.DeadLetterConfig?.Arn))
    expect(new Set(own).size).toBe(rules.length)
    for (const arn of own) expect(arn).toMatch(/DeadLetters[0-9A-F]{8}\.Arn>$/)
  })

  it('are the only ones that EventBridge may send for', () => {
    for (const [id, { Properties }] of resources(template, 'AWS::SQS::QueuePolicy')) {
      const { Statement } = Properties.PolicyDocument as { Statement: Statement[] }
      expect(Statement[0], id).toMatchObject({
        Effect: 'Deny',
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
      })
      for (const { Effect, Condition } of Statement.slice(1)) {
        expect([Effect, text(Condition)], id).toEqual([
          'Allow',
          expect.stringMatching(
            /^\{"ArnEquals":\{"aws:SourceArn":\{"Fn::GetAtt":\["\w+Rule[0-9A-F]{8}","Arn"\]\}\}\}$/,
          ),
        ])
      }
    }
  })
})

describe('queues', () => {
  it('hand a message out a fixed number of times and then to a DLQ', () => {
    const work = queues.filter(([id]) => !id.includes('DeadLetters'))
    expect(work).toHaveLength(4)
    for (const [, { Properties }] of work) {
      expect(Properties.RedrivePolicy).toEqual({
        deadLetterTargetArn: expect.anything(),
        maxReceiveCount: MAX_RECEIVES,
      })
    }
  })

  it('are encrypted, and DLQs keep messages as long as SQS can', () => {
    for (const [id, { Properties }] of queues) {
      expect(Properties.SqsManagedSseEnabled, id).toBe(true)
      if (id.includes('DeadLetters')) expect(Properties.MessageRetentionPeriod, id).toBe(14 * 24 * 3600)
    }
  })

  it('all have a policy, which asks for TLS', () => {
    const covered = resources(template, 'AWS::SQS::QueuePolicy').flatMap(([, { Properties }]) =>
      list(Properties.Queues),
    )
    expect(covered.map(text).sort()).toEqual(queues.map(([id]) => `<${id}>`).sort())
  })

  it('are all known to landfall status, by the names of their outputs', () => {
    const outputs = Object.entries(template.findOutputs('*')).map(([name, { Value }]) => [name, text(Value)] as const)
    const known = queuesOf(outputs)
    expect(known.map(({ url }) => url).sort()).toEqual(queues.map(([id]) => `<${id}>`).sort())
    expect(
      known.filter(({ stage }) => stage === 'partition').map(({ kind, event = '' }) => `${kind} ${event}`),
    ).toEqual(expect.arrayContaining(['work ', 'dead ', 'dead ParquetProcessed', 'dead JobEnded']))
    expect(
      known
        .filter(({ stage }) => stage === 'sweep')
        .map(({ kind, event = '' }) => `${kind} ${event}`)
        .sort(),
    ).toEqual(['dead ', 'dead EveryMinute'])
  })

  it('alarm on AWS from the first message in any DLQ', () => {
    const dlqs = resources(onAws.stateless, 'AWS::SQS::Queue').filter(([id]) => id.includes('DeadLetters'))
    const alarms = resources(onAws.stateless, 'AWS::CloudWatch::Alarm')
      .map(([, { Properties }]) => Properties)
      .filter(({ Namespace }) => Namespace === 'AWS/SQS')
    expect(alarms.map(({ Dimensions }) => text((Dimensions as { Value: unknown }[])[0]?.Value)).sort()).toEqual(
      dlqs.map(([id]) => `<${id}.QueueName>`).sort(),
    )
    for (const alarm of alarms) {
      expect(alarm).toMatchObject({ MetricName: 'ApproximateNumberOfMessagesVisible', Threshold: 1 })
    }
  })
})

describe('functions', () => {
  it('are one a stage, on Node 24, with active tracing and a log group of their own that expires', () => {
    expect(functions.map(({ name }) => name).sort()).toEqual([...STAGES].sort())
    for (const { Properties } of functions) {
      expect(Properties).toMatchObject({
        Runtime: 'nodejs24.x',
        Architectures: ['x86_64'],
        TracingConfig: { Mode: 'Active' },
      })
    }
    const groups = functions.map(({ Properties }) => text((Properties.LoggingConfig as { LogGroup: unknown }).LogGroup))
    expect(new Set(groups).size).toBe(functions.length)
    for (const [, { Properties }] of resources(template, 'AWS::Logs::LogGroup')) {
      expect(Properties.RetentionInDays).toEqual(expect.any(Number))
    }
  })

  it.each([
    ['unzip', UnzipEnv],
    ['convert', ConvertEnv],
    ['partition', PartitionEnv],
    ['catalog', CatalogEnv],
    ['sweep', SweepEnv],
  ] as const)('%s gets all that its environment asks for', (name, schema) => {
    const given = Object.fromEntries(Object.entries(environment(name)).map(([key, value]) => [key, text(value)]))
    expect(schema.safeParse(given).error).toBeUndefined()
    expect(given).toMatchObject({ POWERTOOLS_SERVICE_NAME: name, LOG_LEVEL: 'INFO' })
  })

  it('give failed messages back one by one, and are held back by their mapping and not by reserved concurrency', () => {
    const mappings = resources(template, 'AWS::Lambda::EventSourceMapping')
    expect(mappings).toHaveLength(4)
    for (const [, { Properties }] of mappings) {
      expect(Properties).toMatchObject({
        FunctionResponseTypes: ['ReportBatchItemFailures'],
        ScalingConfig: { MaximumConcurrency: expect.any(Number) },
      })
    }
    // Each zip has a function's whole time.
    expect(mappings.map(([, { Properties }]) => Properties.BatchSize).sort()).toEqual([1, 10, 10, 10])
    for (const { Properties } of functions) expect(Properties).not.toHaveProperty('ReservedConcurrentExecutions')
  })

  it.each([laptop(), aws])('have less time than their queue hides a message ($jobs.engine)', (config) => {
    expect(config.visibilityTimeout.toSeconds()).toBeGreaterThan(config.functionTimeout.toSeconds())
  })

  it('of sweep is not retried: the next minute looks again, and a failure goes to its DLQ', () => {
    template.hasResourceProperties('AWS::Lambda::EventInvokeConfig', { MaximumRetryAttempts: 0 })
    const sweep = functions.find(({ name }) => name === 'sweep')
    expect(text(sweep?.Properties.DeadLetterConfig)).toMatch(/SweepDeadLetters/)
  })
})

describe('glue', () => {
  it('crawls the table of the contract, adds partitions to it and changes nothing else', () => {
    const [crawler] = resources(template, 'AWS::Glue::Crawler').map(([, { Properties }]) => Properties)
    expect(crawler).toMatchObject({
      Targets: { CatalogTargets: [{ DatabaseName: 'deliverydatabase', Tables: ['data_deliveryzone'] }] },
      SchemaChangePolicy: { UpdateBehavior: 'LOG', DeleteBehavior: 'LOG' },
    })
    expect(JSON.parse(String(crawler?.Configuration))).toEqual({
      Version: 1.0,
      CrawlerOutput: { Partitions: { AddOrUpdateBehavior: 'InheritFromTable' } },
    })
    expect(text(environment('catalog').CRAWLERS)).toMatch(/^\{"sales":"<CrawlersalesCrawler[0-9A-F]{8}>"\}$/)
  })
})

describe('rerun', () => {
  const [machine] = resources(template, 'AWS::StepFunctions::StateMachine').map(([, { Properties }]) => Properties)

  it('is one machine, traced, which logs what fails with its data, and knows the datasets that are deployed', () => {
    template.resourceCountIs('AWS::StepFunctions::StateMachine', 1)
    expect(machine).toMatchObject({
      TracingConfiguration: { Enabled: true },
      LoggingConfiguration: { Level: 'ERROR', IncludeExecutionData: true },
      DefinitionSubstitutions: { Datasets: "'sales'", WaitSeconds: '20', MostKeys: '80000' },
    })
    // A standard workflow, which may run for a day: the property's default.
    expect(machine).not.toHaveProperty('StateMachineType')
    expect(text(template.findOutputs('RerunMachine').RerunMachine?.Value)).toMatch(/^<RerunMachine[0-9A-F]{8}>$/)
  })

  it('is given a value for each name in its definition, and for no other', () => {
    const named = String(machine?.DefinitionString).match(/\$\{\w+\}/g) ?? []
    const given = Object.keys(machine?.DefinitionSubstitutions as object).map((name) => `\${${name}}`)
    expect([...new Set(named)].sort()).toEqual(given.sort())
  })

  it('alarms on AWS when an execution failed, and says what to do next', () => {
    const alarms = resources(onAws.stateless, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties)
    const alarm = alarms.find(({ Namespace }) => Namespace === 'AWS/States')
    expect(alarm).toMatchObject({ MetricName: 'ExecutionsFailed', Threshold: 1, TreatMissingData: 'notBreaching' })
    expect(alarm?.AlarmDescription).toContain('start it with "only": ["failed"]')
  })

  it('is started by the clock for each dataset that has a schedule, with the documented input', () => {
    const { templates: scheduled } = templates(laptop({ rerunSchedule: { sales: 'cron(0 3 ? * SUN *)' } }))
    const rule = resources(scheduled.stateless, 'AWS::Events::Rule').find(([id]) => id.startsWith('RerunSchedule'))
    expect(rule?.[1].Properties).toMatchObject({
      ScheduleExpression: 'cron(0 3 ? * SUN *)',
      Targets: [{ Input: '{"dataset":"sales"}', DeadLetterConfig: expect.anything() }],
    })
    const outputs = Object.entries(scheduled.stateless.findOutputs('*')).map(([name]) => [name, 'url'] as const)
    expect(queuesOf(outputs)).toContainEqual({ stage: 'rerun', kind: 'dead', event: 'Sales', url: 'url' })
  })

  it('refuses a schedule for a dataset that has no contract', () => {
    expect(() => templates(laptop({ rerunSchedule: { sale: 'rate(7 days)' } }))).toThrow(
      'rerunSchedule names the dataset "sale", which has no contract (there are: sales). Take it out, or add schemas/datasets/sale.json.',
    )
  })
})

describe('athena', () => {
  it('writes results to their own bucket, whatever a client asks for', () => {
    const [group] = resources(template, 'AWS::Athena::WorkGroup').map(([, { Properties }]) => Properties)
    expect(group?.WorkGroupConfiguration).toMatchObject({ EnforceWorkGroupConfiguration: true })
    expect(text(group?.WorkGroupConfiguration)).toMatch(/ExportsOutputRefResults/)
  })
})

describe('names', () => {
  it("are generated, Athena's workgroup by CDK as CloudFormation does not, all others by CloudFormation", () => {
    const named = resources(template).flatMap(([, { Type, Properties }]) =>
      Object.keys(Properties)
        .filter(
          (key) =>
            /^((Function|Queue|Role|LogGroup|Rule|Alarm|StateMachine)Name|Name)$/.test(key) &&
            !/Mapping|InvokeConfig|Permission/.test(Type),
        )
        .map((key) => `${Type} ${key}`),
    )
    expect(named.filter((name) => name !== 'AWS::Lambda::EventInvokeConfig FunctionName')).toEqual([
      'AWS::Athena::WorkGroup Name',
    ])
  })
})
