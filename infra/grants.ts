import type { ITable } from 'aws-cdk-lib/aws-dynamodb'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import type { Asset } from 'aws-cdk-lib/aws-s3-assets'
import { ArnFormat, Stack } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'

/** The version too: copies, deletes and HEADs name the version that they mean. */
export const READ = ['s3:GetObject', 's3:GetObjectVersion'] as const
/** Multipart uploads included; aborting one is a right of its own. */
export const WRITE = ['s3:PutObject', 's3:AbortMultipartUpload'] as const
/** A delete marker; earlier versions stay. */
export const DELETE = ['s3:DeleteObject'] as const
/** Takes one version out for good. */
export const DELETE_VERSION = ['s3:DeleteObject', 's3:DeleteObjectVersion'] as const

type S3Actions = typeof READ | typeof WRITE | typeof DELETE | typeof DELETE_VERSION

/** Rights on the objects below the prefixes. Each ends with a slash: without it `data/x` would also grant `data/x-old`. */
export const objects = (actions: S3Actions, bucket: IBucket, ...prefixes: `${string}/`[]): PolicyStatement =>
  new PolicyStatement({
    actions: [...actions],
    resources: prefixes.map((prefix) => bucket.arnForObjects(`${prefix}*`)),
  })

/**
 * Listing, without a condition on the prefix: S3 answers the HEAD of a missing object with 404 only to who may list its
 * bucket, and the HEAD has no prefix. With 403 an object that is gone would look like a right that is missing.
 */
export const list = (...buckets: IBucket[]): PolicyStatement =>
  new PolicyStatement({ actions: ['s3:ListBucket'], resources: buckets.map((bucket) => bucket.bucketArn) })

/** Reading these files and no other of the account's deployments, to which CDK's own grant would extend. */
export const assets = (...files: Asset[]): PolicyStatement =>
  new PolicyStatement({
    actions: ['s3:GetObject'],
    resources: files.map(({ bucket, s3ObjectKey }) => bucket.arnForObjects(s3ObjectKey)),
  })

/** Items one by one, in batches, in transactions and by query; never a scan. */
export const books = (ledger: ITable): PolicyStatement =>
  new PolicyStatement({
    actions: [
      'dynamodb:GetItem',
      'dynamodb:BatchGetItem',
      'dynamodb:Query',
      'dynamodb:PutItem',
      'dynamodb:UpdateItem',
      'dynamodb:DeleteItem',
      'dynamodb:BatchWriteItem',
      'dynamodb:ConditionCheckItem',
    ],
    resources: [ledger.tableArn, `${ledger.tableArn}/index/*`],
  })

/** Putting events of our own on the default bus: none of them can pass for one of S3 or Glue. */
export const say = (scope: Construct): PolicyStatement =>
  new PolicyStatement({
    actions: ['events:PutEvents'],
    resources: [Stack.of(scope).formatArn({ service: 'events', resource: 'event-bus', resourceName: 'default' })],
    conditions: { 'ForAllValues:StringEquals': { 'events:source': ['landfall'] } },
  })

/** Glue has no grants of its own in CDK: an action on some of its resources, e.g. `job/<name>`. */
export const glue = (scope: Construct, actions: `glue:${string}`[], resources: string[]): PolicyStatement =>
  new PolicyStatement({
    actions,
    resources: resources.map((resource) => Stack.of(scope).formatArn({ service: 'glue', resource })),
  })

/** Glue asks for the right on a table's catalog and database as well as on the table. */
export const tables = (scope: Construct, actions: `glue:${string}`[], of: { database: string; name: string }[]) =>
  glue(scope, actions, [
    'catalog',
    ...new Set(of.map(({ database }) => `database/${database}`)),
    ...of.map(({ database, name }) => `table/${database}/${name}`),
  ])

/** Glue writes its logs as the job or crawler, into groups whose names are Glue's own. */
export const glueLogs = (scope: Construct, group: 'jobs' | 'crawlers'): PolicyStatement =>
  new PolicyStatement({
    actions: ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'],
    resources: [
      Stack.of(scope).formatArn({
        service: 'logs',
        resource: 'log-group',
        resourceName: `/aws-glue/${group}*`,
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      }),
    ],
  })

/** Metrics have no resource; Glue sends a job's to this namespace, as the job. */
export const glueMetrics = (): PolicyStatement =>
  new PolicyStatement({
    actions: ['cloudwatch:PutMetricData'],
    resources: ['*'],
    conditions: { StringEquals: { 'cloudwatch:namespace': 'Glue' } },
  })
