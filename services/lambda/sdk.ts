import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { S3Client } from '@aws-sdk/client-s3'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'

/** Where an endpoint is named, buckets are paths below it, as emulators serve them. */
export const s3Client = (config: { endpoint?: string; region?: string } = {}) =>
  new S3Client({ ...config, forcePathStyle: Boolean(config.endpoint ?? process.env.AWS_ENDPOINT_URL) })

export const documentClient = (client = new DynamoDBClient()) =>
  DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } })
