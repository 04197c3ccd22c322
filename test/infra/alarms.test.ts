import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { aws, laptop, PROJECT } from '../../infra/config.ts'
import { METRICS, NAMESPACE } from '../../services/metrics/metrics.ts'
import { datasetsWith, list, type Resource, resources, type Statement, templates, text } from './templates.ts'

const datasets = datasetsWith({ expected: { cron: '0 6 * * 1-5', grace: '2h' } })
const { templates: onAws } = templates({ ...aws, datasets, alarmEmails: ['night@example.com', 'day@example.com'] })
const template = onAws.stateless

const alarms = resources(template, 'AWS::CloudWatch::Alarm').map(([id, { Properties }]) => ({ id, Properties }))
const [[topicId, topic] = ['', undefined]] = resources(template, 'AWS::SNS::Topic')
const runbook = readFileSync(join(PROJECT, 'RUNBOOK.md'), 'utf8')
/** As GitHub makes links of headings. */
const sections = [...runbook.matchAll(/^## (.+)$/gm)].map(([, heading = '']) =>
  heading
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-'),
)
const sectionOf = ({ Properties }: { Properties: Resource['Properties'] }) =>
  / See RUNBOOK\.md#([a-z-]+)\.$/.exec(String(Properties.AlarmDescription))?.[1] ?? expect.fail('no section')
const policy = (type: string) =>
  resources(template, type).flatMap(([, { Properties }]) => {
    const { Statement } = (Properties.PolicyDocument ?? Properties.KeyPolicy) as { Statement: Statement[] }
    return Statement.map((each) => ({
      ...each,
      service: (each as { Principal?: { Service?: string } }).Principal?.Service,
    }))
  })

describe('alarms', () => {
  it.each(alarms)('$id tells the topic, says what to do next and links a section of the runbook', (alarm) => {
    expect(list(alarm.Properties.AlarmActions).map(text)).toEqual([`<${topicId}>`])
    expect(alarm.Properties.ActionsEnabled ?? true).toBe(true)
    expect(sections).toContain(sectionOf(alarm))
    // More than what happened: a command, or what to do.
    expect(
      String(alarm.Properties.AlarmDescription)
        .replace(/ See .*$/, '')
        .split(/[.;:] /).length,
    ).toBeGreaterThan(1)
  })

  it('have between them each section of the runbook, which says how to look and what comes then', () => {
    expect([...new Set(alarms.map(sectionOf))].sort()).toEqual([...sections].sort())
    for (const section of runbook.split(/^## /m).slice(1)) {
      expect(section).toMatch(/^- Look: /m)
      expect(section).toMatch(/^- Then[:,]/m)
    }
  })

  it('of our own metrics are those of the code, under all of its dimensions', () => {
    const metrics = alarms.flatMap(({ Properties }) => {
      type Stat = { MetricStat?: { Metric: object; Unit?: string } }
      const parts = (Properties.Metrics as Stat[] | undefined) ?? []
      const stats = parts.flatMap(({ MetricStat }) =>
        MetricStat ? [{ ...MetricStat.Metric, Unit: MetricStat.Unit }] : [],
      )
      return (parts.length > 0 ? stats : [Properties]) as {
        Namespace: string
        MetricName: keyof typeof METRICS
        Unit: string
        Dimensions: { Name: string; Value: string }[]
      }[]
    })
    const ours = metrics.filter(({ Namespace }) => Namespace === NAMESPACE)
    for (const { MetricName, Unit, Dimensions } of ours) {
      expect(METRICS[MetricName].unit).toBe(Unit)
      expect(Dimensions.map(({ Name }) => Name).sort()).toEqual(['dataset', ...METRICS[MetricName].by].sort())
      expect(Dimensions.find(({ Name }) => Name === 'dataset')?.Value).toBe('sales')
    }
    expect([...new Set(ours.map(({ MetricName }) => MetricName))].sort()).toEqual([
      'BalanceFailures',
      'Files',
      'JobFailures',
      'LandedToQueryable',
      'OpenRunsTooOld',
      'OverdueFiles',
      'QueueAge',
    ])
  })

  it('on times have the thresholds of the configuration', () => {
    const of = (id: string) => alarms.find((each) => each.id.includes(id))?.Properties
    expect(of('LandedToQueryable')).toMatchObject({ ExtendedStatistic: 'p95', Threshold: 30 * 60_000 })
    expect(of('QueueAge')).toMatchObject({ Threshold: 2 * 3600 })
    for (const { Properties } of alarms) {
      expect(Properties.ComparisonOperator).toBe('GreaterThanOrEqualToThreshold')
      expect(Properties.TreatMissingData).toBe('notBreaching')
    }
  })

  it('on overdue files are only of datasets that expect some', () => {
    const overdue = (from: typeof template) =>
      resources(from, 'AWS::CloudWatch::Alarm').filter(([id]) => id.includes('OverdueFiles'))
    expect(overdue(template)).toHaveLength(1)
    expect(overdue(templates(aws).templates.stateless)).toHaveLength(0)
  })
})

describe('the topic', () => {
  it('is encrypted with a key of ours, which CloudWatch and EventBridge may use: else alarms vanish', () => {
    resources(template, 'AWS::SNS::Topic').forEach(([id]) => void expect(id).toBe(topicId))
    expect(text(topic?.Properties.KmsMasterKeyId)).toMatch(/^<AlarmsKey[0-9A-F]{8}\.Arn>$/)
    template.hasResourceProperties('AWS::KMS::Key', { EnableKeyRotation: true })
    const users = policy('AWS::KMS::Key').filter(({ service }) => service)
    expect(users.map(({ service, Action }) => [service, Action])).toEqual([
      ['cloudwatch.amazonaws.com', ['kms:Decrypt', 'kms:GenerateDataKey*']],
      ['events.amazonaws.com', ['kms:Decrypt', 'kms:GenerateDataKey*']],
    ])
  })

  it('takes messages of these two, and nothing that does not come over TLS', () => {
    const statements = policy('AWS::SNS::TopicPolicy')
    const of = (effect: string) => statements.filter(({ Effect }) => Effect === effect)
    expect(of('Allow').map(({ service, Action, Resource }) => [service, Action, text(Resource)])).toEqual([
      ['cloudwatch.amazonaws.com', 'sns:Publish', `<${topicId}>`],
      ['events.amazonaws.com', 'sns:Publish', `<${topicId}>`],
    ])
    expect(of('Allow')[0]?.Condition).toEqual({ StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } })
    expect(of('Deny')).toMatchObject([
      { Action: 'sns:Publish', Condition: { Bool: { 'aws:SecureTransport': 'false' } } },
    ])
  })

  it('mails whom the configuration names, by default nobody', () => {
    const mails = resources(template, 'AWS::SNS::Subscription').map(([, { Properties }]) => Properties)
    expect(mails.map(({ Protocol, Endpoint }) => `${Protocol} ${Endpoint}`)).toEqual([
      'email night@example.com',
      'email day@example.com',
    ])
    expect(resources(templates(aws).templates.stateless, 'AWS::SNS::Subscription')).toEqual([])
    expect(Object.keys(template.findOutputs('AlarmTopic'))).toEqual(['AlarmTopic'])
  })

  it('is not on a laptop, nor is a dashboard or an alarm', () => {
    const types = resources(templates(laptop()).templates.stateless).map(([, { Type }]) => Type)
    expect(types.filter((type) => /SNS|KMS|CloudWatch/.test(type))).toEqual([])
  })
})

describe('the dashboard', () => {
  const [[, dashboard] = ['', undefined]] = resources(template, 'AWS::CloudWatch::Dashboard')
  const body = text(dashboard?.Properties.DashboardBody)
  const widgets = (JSON.parse(body) as { widgets: { properties: { title: string; metrics: unknown[][] } }[] }).widgets
  const metricsOf = (title: string) =>
    widgets.find(({ properties }) => properties.title.startsWith(title))?.properties.metrics.map((each) => each) ?? []

  it('is one, and shows what landed, how long it takes, what waits and what is in trouble', () => {
    template.resourceCountIs('AWS::CloudWatch::Dashboard', 1)
    expect(widgets.map(({ properties }) => properties.title)).toEqual([
      'Files by state',
      'Rows',
      'Landed to queryable (ms)',
      'Longest wait in the ledger (s)',
      'Oldest event of a stage (s)',
      'Crawler: changes of delivery that it has not seen',
      'Dead letters',
      'Failures, overdue files, what the sweep mended',
      'Errors of functions',
    ])
  })

  it('has each dead-letter queue and each function', () => {
    const dlqs = resources(template, 'AWS::SQS::Queue').filter(([id]) => id.includes('DeadLetters'))
    const shown = metricsOf('Dead letters').map((metric) => String(metric[3]))
    expect(shown.sort()).toEqual(dlqs.map(([id]) => `<${id}.QueueName>`).sort())
    const functions = resources(template, 'AWS::Lambda::Function').map(([id]) => `<${id}>`)
    expect(
      metricsOf('Errors')
        .map((metric) => String(metric[3]))
        .sort(),
    ).toEqual(functions.sort())
  })

  it('names no metric of ours that the code does not write', () => {
    for (const { properties } of widgets)
      for (const [namespace, name, ...dimensions] of properties.metrics) {
        if (namespace !== NAMESPACE) continue
        const { by } = METRICS[name as keyof typeof METRICS]
        const named = dimensions.filter((each, index) => typeof each === 'string' && index % 2 === 0)
        expect([name, [...named].sort()]).toEqual([name, ['dataset', ...by].sort()])
      }
  })
})
