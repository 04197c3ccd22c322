import { describe, expect, it } from 'vitest'
import { Failed, inWords, isRefusal, Refused, TryAgain } from '../../../services/lambda/errors.ts'
import { backoff, MAX_RECEIVES, patienceMs } from '../../../services/lambda/receives.ts'

const aws = (name: string, httpStatusCode: number) =>
  Object.assign(new Error('why'), { name, $metadata: { httpStatusCode } })

describe('a refusal', () => {
  it.each([
    ['a right that is missing', aws('AccessDeniedException', 400)],
    ['a thing that is missing', aws('EntityNotFoundException', 400)],
    ['S3 without words', aws('403', 403)],
    ['an error of ours that no retry helps', new Failed('x', 'y')],
    ['a file at fault', new Refused('x', 'y')],
  ])('is %s', (_, error) => expect(isRefusal(error)).toBe(true))

  it.each([
    ['throttling', aws('ThrottlingException', 400)],
    ['throttling of DynamoDB', aws('ProvisionedThroughputExceededException', 400)],
    ['a limit of Glue', aws('ConcurrentRunsExceededException', 400)],
    ['too many requests', aws('Other', 429)],
    ['an outage', aws('InternalServiceException', 500)],
    ['a lost connection', new Error('ECONNRESET')],
    ['an error of ours that passes', new TryAgain('x', 'y')],
  ])('is not %s', (_, error) => expect(isRefusal(error)).toBe(false))

  it('is quoted with its name, but for our own errors, which are sentences', () => {
    expect(inWords(aws('AccessDenied', 403))).toBe('AccessDenied: why')
    expect(inWords(new Failed('x', 'A sentence.'))).toBe('A sentence.')
    expect(inWords('text')).toBe('text')
  })
})

describe('a message', () => {
  it('comes back after 5, 20, 80 and 320 seconds, and that is how long a refusal is borne', () => {
    expect([1, 2, 3, 4].map(backoff)).toEqual([5, 20, 80, 320])
    expect(MAX_RECEIVES).toBe(5)
    expect(patienceMs()).toBe(425_000)
  })
})
