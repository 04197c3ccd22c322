import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type BucketProps,
  CfnBucket,
  type LifecycleRule,
} from 'aws-cdk-lib/aws-s3'
import { Duration } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import type { Config } from './config.ts'

/** A bucket that no zone would want without: private, encrypted, TLS only, and no forgotten uploads that cost money. */
export function bucket(scope: Construct, id: string, config: Config, props: BucketProps = {}): Bucket {
  const abandonedUploads: LifecycleRule = { abortIncompleteMultipartUploadAfter: Duration.days(1) }
  return new Bucket(scope, id, {
    encryption: BucketEncryption.S3_MANAGED,
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    enforceSSL: true,
    removalPolicy: config.removal,
    ...props,
    lifecycleRules: [abandonedUploads, ...(props.lifecycleRules ?? [])],
  })
}

/** A versioned bucket: what is replaced or deleted can be had back for a while. */
export const zone = (scope: Construct, id: string, config: Config): Bucket =>
  bucket(scope, id, config, {
    versioned: true,
    lifecycleRules: [
      { noncurrentVersionExpiration: config.noncurrentVersionsExpire },
      // A delete marker without versions behind it only slows listings.
      { expiredObjectDeleteMarker: true },
    ],
  })

/**
 * Sends the bucket's events to EventBridge through CloudFormation's own property: CDK's `eventBridgeEnabled` is a custom
 * resource, one more function with a right on every bucket.
 */
export function notify(bucket: Bucket): Bucket {
  const resource = bucket.node.defaultChild
  if (!(resource instanceof CfnBucket)) throw new Error(`${bucket.node.path} is not an AWS::S3::Bucket`)
  resource.notificationConfiguration = { eventBridgeConfiguration: { eventBridgeEnabled: true } }
  return bucket
}
