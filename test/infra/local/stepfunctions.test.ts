import pMap from 'p-map'
import { afterAll, describe, expect, it } from 'vitest'
import { localAccount, localRegion } from '../../../infra/local/runtime.ts'
import { createStack, eventually, listen, startLocal, states } from './support.ts'

const local = await startLocal({ SFN_WAIT_SCALE: '0.01' })
afterAll(() => local.stop())
const { dynamodb, s3 } = local

const TableName = 'ledger'
const Bucket = 'raw'
await dynamodb.createTable({
  TableName,
  BillingMode: 'PAY_PER_REQUEST',
  AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
  KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
})
await s3.createBucket({ Bucket })
const events = await listen(local, 'reruns', { source: ['landfall'] })

const table = `arn:aws:dynamodb:${localRegion}:${localAccount}:table/${TableName}`
const bus = `arn:aws:events:${localRegion}:${localAccount}:event-bus/default`
const machines = `arn:aws:states:${localRegion}:${localAccount}:stateMachine:`
const everything = {
  'dynamodb:*': table,
  'events:PutEvents': bus,
  's3:ListBucket': `arn:aws:s3:::${Bucket}`,
  'states:StartExecution': `${machines}*`,
}

/** Runs a machine whose role may do this, to its end. */
async function run(name: string, States: Record<string, object>, input: object = {}, may: object = everything) {
  const Statement = Object.entries(may).map(([Action, Resource]) => ({ Effect: 'Allow', Action, Resource }))
  const trust = { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'states.amazonaws.com' } }
  const Version = '2012-10-17'
  const Policies = [{ PolicyName: 'one', PolicyDocument: { Version, Statement } }]
  const role = { AssumeRolePolicyDocument: { Version, Statement: [trust] }, ...(Statement.length ? { Policies } : {}) }
  const definition = { QueryLanguage: 'JSONata', StartAt: Object.keys(States)[0], States }
  const machine = {
    StateMachineName: name,
    DefinitionString: JSON.stringify(definition),
    RoleArn: { 'Fn::GetAtt': ['Role', 'Arn'] },
  }
  const { stateMachineArn, role: RoleName } = await createStack(
    local,
    `machine-${name}`,
    {
      Role: { Type: 'AWS::IAM::Role', Properties: role },
      Machine: { Type: 'AWS::StepFunctions::StateMachine', Properties: machine },
    },
    { stateMachineArn: { Ref: 'Machine' }, role: { Ref: 'Role' } },
  )
  const start = { stateMachineArn, input: JSON.stringify(input) }
  const { executionArn } = await states(local.endpoint, 'StartExecution', start)
  const execution = await eventually(`the end of ${name}`, async () => {
    const found = await states(local.endpoint, 'DescribeExecution', { executionArn })
    return found.status === 'RUNNING' ? undefined : found
  })
  const { status, output = 'null', error, cause } = execution
  return { status, output: JSON.parse(output), error, cause, executionArn, stateMachineArn, RoleName }
}

const putItem = (pk: string, more: object = {}) => ({
  Type: 'Task',
  Resource: 'arn:aws:states:::dynamodb:putItem',
  Arguments: { TableName, Item: { pk: { S: pk } }, ConditionExpression: 'attribute_not_exists(pk)' },
  ...more,
})
const putEvents = (Source: string) => ({
  Type: 'Task',
  Resource: 'arn:aws:states:::events:putEvents',
  Arguments: { Entries: [{ Source, DetailType: 'Rerun', Detail: { key: '{% $states.input.key %}' } }] },
  End: true,
})
const children = (States: Record<string, object>) => ({
  ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
  StartAt: Object.keys(States)[0],
  States,
})
const listed = (Prefix: string) => ({
  Resource: 'arn:aws:states:::s3:listObjectsV2',
  Arguments: { Bucket, Prefix },
})

describe('a machine in JSONata', () => {
  it('waits, loops, and fails with an error and a cause that it computes', async () => {
    const Cause = "{% $string($tries) & ' tries of ' & $states.context.Execution.Input.name %}"
    const { status, error, cause } = await run(
      'loop',
      {
        Start: { Type: 'Pass', Assign: { tries: 0 }, Next: 'Again' },
        Again: { Type: 'Wait', Seconds: '{% 2 %}', Assign: { tries: '{% $tries + 1 %}' }, Next: 'Enough' },
        Enough: { Type: 'Choice', Choices: [{ Condition: '{% $tries >= 3 %}', Next: 'End' }], Default: 'Again' },
        End: { Type: 'Fail', Error: "{% 'Rerun.' & $states.input.name %}", Cause },
      },
      { name: 'sales' },
    )
    expect({ status, error, cause }).toEqual({ status: 'FAILED', error: 'Rerun.sales', cause: '3 tries of sales' })
  })

  it('catches a failed condition, and reads and updates items', async () => {
    await dynamodb.putItem({ TableName, Item: { pk: { S: 'taken' } } })
    const Output = '{% $states.errorOutput.Error %}'
    const ErrorEquals = ['DynamoDB.ConditionalCheckFailedException']
    const { output } = await run('items', {
      Put: putItem('taken', { Catch: [{ ErrorEquals, Output, Next: 'Count' }], End: true }),
      Count: {
        Type: 'Task',
        Resource: 'arn:aws:states:::dynamodb:updateItem',
        Arguments: {
          TableName,
          Key: { pk: { S: 'count' } },
          UpdateExpression: 'ADD n :one',
          ExpressionAttributeValues: { ':one': { N: '1' } },
        },
        Assign: { caught: '{% $states.input %}' },
        Next: 'Read',
      },
      Read: {
        Type: 'Task',
        Resource: 'arn:aws:states:::dynamodb:getItem',
        Arguments: { TableName, Key: { pk: { S: 'count' } }, ConsistentRead: true },
        Output: { caught: '{% $caught %}', n: '{% $number($states.result.Item.n.N) %}' },
        End: true,
      },
    })
    expect(output).toEqual({ caught: 'DynamoDB.ConditionalCheckFailedException', n: 1 })
  })

  it('sends events that name it and its execution, and fails when one is not taken', async () => {
    const { executionArn, stateMachineArn } = await run('sender', { Send: putEvents('landfall') }, { key: 'a' })
    const { detail, resources } = await events.next()
    expect({ detail, resources }).toEqual({ detail: { key: 'a' }, resources: [executionArn, stateMachineArn] })
    const refused = await run('refused-sender', { Send: putEvents('aws.s3') }, { key: 'a' })
    expect(refused).toMatchObject({ status: 'FAILED', error: 'EventBridge.FailedEntry' })
    expect(refused.cause).toContain('NotAuthorizedForSourceException')
  })
})

describe('a distributed map in JSONata', () => {
  it('runs a child for each of more than a page of objects, with what its selector gives it', async () => {
    const keys = Array.from({ length: 1001 }, (_, n) => `data/sales/${n}.csv`)
    await pMap([...keys, 'data/other/1.csv'], (Key) => s3.putObject({ Bucket, Key, Body: 'x' }), { concurrency: 16 })
    await dynamodb.putItem({ TableName, Item: { pk: { S: 'again/data/sales/7.csv' } } })
    const ErrorEquals = ['DynamoDB.ConditionalCheckFailedException']
    const { status, output, executionArn } = await run(
      'map',
      {
        Name: { Type: 'Pass', Assign: { rerun: '{% $states.input.rerun %}' }, Next: 'All' },
        All: {
          Type: 'Map',
          ItemReader: listed("{% 'data/' & $states.input.dataset & '/' %}"),
          ItemSelector: {
            key: '{% $states.context.Map.Item.Value.Key %}',
            pk: "{% $rerun & '/' & $states.context.Map.Item.Value.Key %}",
          },
          MaxConcurrency: 20,
          ItemProcessor: children({
            Put: putItem('{% $states.input.pk %}', {
              Catch: [{ ErrorEquals, Output: 'there', Next: 'Done' }],
              Assign: { put: true },
              Output: "{% $exists($rerun) ? 'sees the outer variables' : 'new' %}",
              Next: 'Done',
            }),
            Done: { Type: 'Succeed' },
          }),
          Assign: { count: '{% $count($states.result) %}' },
          Output: {
            new: "{% $count($states.result[$ = 'new']) %}",
            there: "{% $count($states.result[$ = 'there']) %}",
          },
          Next: 'End',
        },
        End: { Type: 'Pass', Output: '{% $merge([$states.input, {"count": $count}]) %}', End: true },
      },
      { dataset: 'sales', rerun: 'again' },
    )
    expect({ status, output }).toEqual({ status: 'SUCCEEDED', output: { new: 1000, there: 1, count: 1001 } })
    const { mapRuns } = await states(local.endpoint, 'ListMapRuns', { executionArn })
    const { itemCounts } = await states(local.endpoint, 'DescribeMapRun', { mapRunArn: mapRuns[0].mapRunArn })
    expect(itemCounts).toMatchObject({ total: 1001, succeeded: 1001, failed: 0 })
  })

  it('takes its items and its limits from expressions', async () => {
    const Failing = {
      Type: 'Choice',
      Choices: [{ Condition: '{% $states.input = 2 %}', Next: 'Bad' }],
      Default: 'Good',
    }
    const map = (ToleratedFailureCount: string) => ({
      All: {
        Type: 'Map',
        Items: '{% $states.input.items %}',
        ToleratedFailureCount,
        ItemProcessor: children({
          Failing,
          Bad: { Type: 'Fail', Error: 'Two' },
          Good: { Type: 'Pass', Output: '{% $states.input * 10 %}', End: true },
        }),
        End: true,
      },
    })
    const input = { items: [1, 2, 3], bad: 1 }
    const tolerant = await run('tolerant', map('{% $states.input.bad %}'), input)
    expect(tolerant).toMatchObject({ status: 'SUCCEEDED', output: expect.arrayContaining([10, 30]) })
    const strict = await run('strict', map('{% $states.input.bad - 1 %}'), input)
    expect(strict).toMatchObject({ status: 'FAILED', error: 'States.ExceedToleratedFailureThreshold' })
  })
})

describe('a machine’s role', () => {
  const map = {
    All: {
      Type: 'Map',
      ItemReader: listed('data/other/'),
      ItemProcessor: children({ Put: putItem('x', { End: true }) }),
      End: true,
    },
  }
  const { 'dynamodb:*': _dynamodb, ...noTable } = everything
  const { 's3:ListBucket': _list, ...noList } = everything
  const { 'states:StartExecution': _start, ...noChildren } = everything

  const task = (resource: string, Arguments: object) => ({
    Only: { Type: 'Task', Resource: `arn:aws:states:::${resource}`, Arguments, End: true },
  })
  const query = { TableName, KeyConditionExpression: 'pk = :p', ExpressionAttributeValues: { ':p': { S: 'x' } } }
  const arn = (resource: string) => `arn:aws:${resource.replace(':', `:${localRegion}:${localAccount}:`)}`
  const QueueUrl = `${local.endpoint}/${localAccount}/letters`
  const cases: [string, Record<string, object>, object, string, string, string][] = [
    [
      'put',
      { Put: putItem('x', { End: true }) },
      noTable,
      'DynamoDB.AmazonDynamoDBException',
      'dynamodb:PutItem',
      table,
    ],
    ['query', task('aws-sdk:dynamodb:query', query), noTable, 'DynamoDb.DynamoDbException', 'dynamodb:Query', table],
    ['events', { Send: putEvents('landfall') }, {}, 'EventBridge.EventBridgeException', 'events:PutEvents', bus],
    [
      'message',
      task('sqs:sendMessage', { QueueUrl, MessageBody: 'x' }),
      everything,
      'SQS.AmazonSQSException',
      'sqs:SendMessage',
      arn('sqs:letters'),
    ],
    [
      'function',
      task('lambda:invoke', { FunctionName: 'f' }),
      everything,
      'Lambda.AWSLambdaException',
      'lambda:InvokeFunction',
      arn('lambda:function:f'),
    ],
    ['list', map, noList, 'States.ItemReaderFailed', 's3:ListBucket', `arn:aws:s3:::${Bucket}`],
    ['children', map, noChildren, 'States.Runtime', 'states:StartExecution', `${machines}children`],
  ]
  it.each(cases)('that lacks the right for its %s fails it', async (name, states, may, error, action, resource) => {
    const failed = await run(name, states, { key: 'a' }, may)
    expect({ status: failed.status, error: failed.error }).toEqual({ status: 'FAILED', error })
    expect(failed.cause).toContain(`assumed-role/${failed.RoleName}/`)
    expect(failed.cause).toContain(`is not authorized to perform: ${action} on resource: ${resource} `)
  })

  it('counts in the children of a map too', async () => {
    const failed = await run('child', map, {}, noTable)
    expect(failed.error).toBe('States.ExceedToleratedFailureThreshold')
    const { executions } = await states(local.endpoint, 'ListExecutions', {
      mapRunArn: (await states(local.endpoint, 'ListMapRuns', { executionArn: failed.executionArn })).mapRuns[0]
        .mapRunArn,
    })
    const child = await states(local.endpoint, 'DescribeExecution', { executionArn: executions[0].executionArn })
    expect(child).toMatchObject({ status: 'FAILED', error: 'DynamoDB.AmazonDynamoDBException' })
  })

  it('is asked before any integration, and one whose rights are not known fails', async () => {
    const Head = { Type: 'Task', Resource: 'arn:aws:states:::aws-sdk:s3:headBucket', Arguments: { Bucket }, End: true }
    const { error, cause } = await run('unknown', { Head })
    expect({ error, cause }).toEqual({
      error: 'States.Runtime',
      cause: `${Head.Resource}: infra/local/extensions/sfn_role.py does not know which rights this task needs.`,
    })
  })
})
