import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import { CrawlEnded } from '../events/crawl-ended.ts'
import { CsvLanded } from '../events/csv-landed.ts'
import { DeliveryChanged } from '../events/delivery-changed.ts'
import { JobEnded } from '../events/job-ended.ts'
import { ParquetProcessed } from '../events/parquet-processed.ts'
import { RerunAsked } from '../events/rerun-asked.ts'
import { ZipLanded } from '../events/zip-landed.ts'
import type { CatalogEnv, ConvertEnv, Environment, PartitionEnv, SweepEnv, UnzipEnv } from '../services/lambda/env.ts'
import { AlarmTopic } from './alarms.ts'
import type { Config, StageName } from './config.ts'
import { Crawler } from './crawler.ts'
import { Overview } from './dashboard.ts'
import { Health } from './health.ts'
import { Job } from './jobs.ts'
import { Rerun } from './rerun.ts'
import { catalogRights, convertRights, partitionRights, sweepRights, unzipRights } from './rights.ts'
import { Stage } from './stage.ts'
import type { Stateful } from './stateful.ts'
import { Sweep } from './sweep.ts'
import { WorkGroup } from './workgroup.ts'

export interface StatelessProps extends StackProps {
  config: Config
  stateful: Stateful
  /** Folder with each function's code. */
  functions: Record<StageName, string>
}

/** Events that the archive keeps. */
const OBJECT_EVENTS = Object.keys({ ZipLanded, CsvLanded, ParquetProcessed, DeliveryChanged })

/** What can be thrown away and deployed again: stages, jobs, crawlers, Athena's workgroup. */
export class Stateless extends Stack {
  constructor(scope: Construct, id: string, { config, stateful, functions, ...props }: StatelessProps) {
    super(scope, id, props)
    const { contracts } = stateful

    const jobs = {
      convert: new Job(this, 'ConvertGlue', { stage: 'convert', config, stateful }).jobName,
      partition: new Job(this, 'PartitionGlue', { stage: 'partition', config, stateful }).jobName,
    }
    const crawlers: Record<string, string> = {}
    for (const contract of contracts) {
      const { dataset, version } = contract
      // Each version has its own: Glue changes no crawler that is running, and a deployment would fail with it.
      const id = version === 1 ? `Crawler-${dataset}` : `Crawler-${dataset}-v${version}`
      crawlers[dataset] = new Crawler(this, id, { contract, stateful }).crawlerName
    }
    const glue = { jobs, crawlers: Object.values(crawlers) }
    const CRAWLERS = this.toJsonString(crawlers)

    const LEDGER_TABLE = stateful.ledger.tableName
    const RAW_BUCKET = stateful.raw.bucketName
    const PROCESSING_BUCKET = stateful.processing.bucketName
    const DELIVERY_BUCKET = stateful.delivery.bucketName
    const QUARANTINE_BUCKET = stateful.quarantine.bucketName
    const STAGING_BUCKET = stateful.staging.bucketName
    const books = { LEDGER_TABLE, RAW_BUCKET }

    const unzip = new Stage(this, 'Unzip', {
      name: 'unzip',
      config,
      code: functions.unzip,
      environment: {
        ...books,
        PROCESSING_BUCKET,
        DELIVERY_BUCKET,
        QUARANTINE_BUCKET,
        UNZIP_BYTES_PER_SECOND: String(config.unzipBytesPerSecond),
      } satisfies Environment<typeof UnzipEnv>,
      batchSize: config.unzipBatchSize,
      rights: unzipRights(this, stateful),
      wakesOn: {
        ZipLanded: ZipLanded.pattern({ bucket: RAW_BUCKET }),
        RerunAsked: RerunAsked.pattern({ bucket: RAW_BUCKET, prefix: ZipLanded.prefix }),
      },
    })
    const convert = new Stage(this, 'Convert', {
      name: 'convert',
      config,
      code: functions.convert,
      environment: {
        ...books,
        STAGING_BUCKET,
        PROCESSING_BUCKET,
        QUARANTINE_BUCKET,
        JOB_NAME: jobs.convert,
      } satisfies Environment<typeof ConvertEnv>,
      rights: convertRights(this, stateful, glue),
      wakesOn: {
        CsvLanded: CsvLanded.pattern({ bucket: RAW_BUCKET }),
        RerunAsked: RerunAsked.pattern({ bucket: RAW_BUCKET, prefix: CsvLanded.prefix }),
        JobEnded: JobEnded.pattern({ jobName: jobs.convert }),
      },
    })
    const partition = new Stage(this, 'Partition', {
      name: 'partition',
      config,
      code: functions.partition,
      environment: {
        ...books,
        STAGING_BUCKET,
        PROCESSING_BUCKET,
        DELIVERY_BUCKET,
        QUARANTINE_BUCKET,
        JOB_NAME: jobs.partition,
      } satisfies Environment<typeof PartitionEnv>,
      rights: partitionRights(this, stateful, glue),
      wakesOn: {
        ParquetProcessed: ParquetProcessed.pattern({ bucket: PROCESSING_BUCKET }),
        JobEnded: JobEnded.pattern({ jobName: jobs.partition }),
      },
    })
    const catalog = new Stage(this, 'Catalog', {
      name: 'catalog',
      config,
      code: functions.catalog,
      environment: { LEDGER_TABLE, DELIVERY_BUCKET, QUARANTINE_BUCKET, CRAWLERS } satisfies Environment<
        typeof CatalogEnv
      >,
      rights: catalogRights(this, stateful, glue),
      wakesOn: {
        DeliveryChanged: DeliveryChanged.pattern({ bucket: DELIVERY_BUCKET }),
        CrawlEnded: CrawlEnded.pattern({ crawlers: glue.crawlers }),
      },
    })
    const datasets = contracts.map(({ dataset }) => dataset)
    const rerun = new Rerun(this, 'Rerun', { config, stateful, datasets })
    const stages = [unzip, convert, partition, catalog]
    const dead = stages.flatMap(({ name, deadLetters, rules }) => [
      { stage: name, queue: deadLetters },
      ...Object.entries(rules).map(([event, rule]) => ({ stage: name, event, queue: rule.deadLetters })),
    ])
    const sweep = new Sweep(this, 'Sweep', {
      name: 'sweep',
      config,
      code: functions.sweep,
      environment: {
        ...books,
        STAGING_BUCKET,
        PROCESSING_BUCKET,
        DELIVERY_BUCKET,
        QUARANTINE_BUCKET,
        CONVERT_JOB_NAME: jobs.convert,
        PARTITION_JOB_NAME: jobs.partition,
        CRAWLERS,
        ARCHIVE: stateful.archive.archiveArn,
        UNZIP_QUEUE: unzip.queue.queueUrl,
        DEAD_LETTERS: this.toJsonString(dead.map(({ queue, ...name }) => ({ ...name, url: queue.queueUrl }))),
      } satisfies Environment<typeof SweepEnv>,
      rights: sweepRights(this, stateful, glue, rerun, {
        unzip: unzip.queue,
        deadLetters: dead.map(({ queue }) => queue),
      }),
    })

    for (const contract of contracts) new Health(this, `Health-${contract.dataset}`, { config, contract })
    const topic = config.alarms ? new AlarmTopic(this, 'Alarms', config) : undefined
    if (topic) new Overview(this, 'Overview', { datasets, stages, sweep })
    // Last, when all alarms are there.
    topic?.hears(this)

    const queries = new WorkGroup(this, 'Queries', { config, stateful })

    const outputs: Record<string, string> = {
      WorkGroup: queries.workGroupName,
      ReaderPolicy: queries.readers.managedPolicyArn,
      ConvertJob: jobs.convert,
      PartitionJob: jobs.partition,
      Crawlers: CRAWLERS,
      Versions: this.toJsonString(Object.fromEntries(contracts.map((each) => [each.dataset, each.version]))),
      Tables: this.toJsonString(Object.fromEntries(contracts.map(({ dataset, table }) => [dataset, table]))),
      SweepDeadLetters: sweep.deadLetters.queueUrl,
      SweepEveryMinuteDeadLetters: sweep.rule.deadLetters.queueUrl,
      SweepFunction: sweep.function.functionName,
      RerunMachine: rerun.machine.stateMachineArn,
      ...(topic && { AlarmTopic: topic.topic.topicArn }),
    }
    for (const [dataset, { deadLetters }] of Object.entries(rerun.schedules)) {
      const name = dataset.replace(/(?:^|_)(.)/g, (_, letter: string) => letter.toUpperCase())
      outputs[`Rerun${name}DeadLetters`] = deadLetters.queueUrl
    }
    for (const stage of stages) {
      outputs[`${stage.node.id}Queue`] = stage.queue.queueUrl
      outputs[`${stage.node.id}DeadLetters`] = stage.deadLetters.queueUrl
      outputs[`${stage.node.id}Function`] = stage.function.functionName
      for (const [event, { deadLetters, ruleArn }] of Object.entries(stage.rules)) {
        outputs[`${stage.node.id}${event}DeadLetters`] = deadLetters.queueUrl
        // A replay names the rules that it is for.
        if (OBJECT_EVENTS.includes(event)) outputs[`${stage.node.id}${event}Rule`] = ruleArn
      }
    }
    for (const [name, value] of Object.entries(outputs)) new CfnOutput(this, name, { value })
  }
}
