import { TryAgain } from '../../services/lambda/errors.ts'
import type { Random } from './random.ts'
import type { Theme } from './themes.ts'

const THROUGHOUT = 10_000

/** What goes wrong, and how often of 10,000 chances where a schedule has it. */
export const FAULTS = {
  'a call is refused: throttled, a conflict, 5xx': 150,
  'the answer to a call is lost': 100,
  'a call is sent twice': 150,
  'a process is killed at a call': 100,
  'a process stalls for minutes': 60,
  "a person's laptop sleeps for minutes": 400,
  'a function dies three times before it tells what it published': 500,
  'a zip kills its function': 2_000,
  'S3 refuses one object for hours': 200,
  'an event comes twice': 1_500,
  'an event comes late': 2_000,
  'an event comes hours later again': 300,
  'the event of a landing is lost': 1_500,
  'the event of a parquet is lost': 2_000,
  'the event of a delivery is lost': 2_000,
  "a job's end is not heard": 2_500,
  "a job's end is heard before Glue knows": 1_500,
  'a job dies before its report': 1_200,
  'a job dies after its report': 1_200,
  'a job lies about its rows': 500,
  'a job takes longer than its lease': 1_500,
  'someone overwrites what a job staged': 500,
  'Glue has one slot, and frees it late': THROUGHOUT,
  "a crawl's end is not heard": 2_500,
  'a crawler is stopping for a minute': 3_000,
  'clocks differ by up to half a minute': THROUGHOUT,
} as const
export type Fault = keyof typeof FAULTS
export const ALL_FAULTS = Object.keys(FAULTS) as Fault[]

/** Those of one schedule, each with its rate; what struck is counted. */
export class Faults {
  readonly struck = new Map<Fault, number>()
  readonly of: Set<Fault>
  readonly #random: Random
  readonly #theme: Theme['faults']
  /** None strikes any more. */
  over = false

  /** A schedule has a few of them, that one does not hide another; and those of its theme. */
  constructor(random: Random, theme: Theme) {
    this.#random = random
    this.#theme = theme.faults
    const share = [0, 2, 4, 7][random(4)] ?? 0
    this.of = new Set(ALL_FAULTS.filter((fault) => random(10) < share || theme.faults[fault] !== undefined))
    for (const fault of this.of) if (FAULTS[fault] === THROUGHOUT) this.struck.set(fault, 1)
  }

  /** @param times as often as it does elsewhere */
  strikes(fault: Fault, times = 1): boolean {
    const rate = FAULTS[fault] * (this.#theme[fault] ?? 1) * times
    if (!this.has(fault) || this.#random(10_000) >= rate) return false
    this.struck.set(fault, (this.struck.get(fault) ?? 0) + 1)
    return true
  }

  /** Where a schedule has it, it has it throughout. */
  has = (fault: Fault): boolean => !this.over && this.of.has(fault)
}

const aws = (name: string, status: number, more = {}) =>
  Object.assign(new Error(name), { name, $metadata: { httpStatusCode: status }, ...more })

/** As the clients throw them when their own retries are over. */
export function errorOf(call: string, random: Random): Error {
  const passing = [
    aws('InternalError', 500),
    aws('ServiceUnavailable', 503),
    aws('ThrottlingException', 400),
    Object.assign(new Error('socket hang up'), { name: 'TimeoutError', code: 'ECONNRESET' }),
  ]
  if (call === 'TransactWrite')
    passing.push(
      aws('TransactionCanceledException', 400, {
        CancellationReasons: [{ Code: 'TransactionConflict' }, { Code: 'None' }],
      }),
    )
  if (/^(Put|Update|Delete)$/.test(call)) passing.push(aws('TransactionConflictException', 400))
  // As the real client says it, which knows the words of a throttled start.
  if (call === 'startJob' || call === 'startCrawler')
    passing.push(new TryAgain('glue_busy', `Glue would not ${call} now: ThrottlingException.`))
  return passing[random(passing.length)] as Error
}

/** As S3 says that somebody may not. */
export const denied = (): Error => aws('AccessDenied', 403)

/** It says of one object less that it made it, or of one row more that it read it. */
export function lying<R extends { rowsIn: number; parts: unknown[] }>(report: R): R {
  return report.parts.length > 1
    ? { ...report, parts: report.parts.slice(1) }
    : { ...report, rowsIn: report.rowsIn + 1 }
}
