import { Cron } from 'croner'
import { z } from 'zod'

const UNITS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** @throws Error saying what of the five fields is wrong */
function cronOf(text: string): Cron {
  const fields = text.trim().split(/\s+/)
  // `?`, `L`, `W`, `#` and nicknames are other dialects', in which the same text can mean another time.
  if (fields.length !== 5 || !fields.every((field) => /^[\d*/,-]+$|^([A-Za-z]{3}[-,]?)+$/.test(field)))
    throw new Error('five fields: minute, hour, day of the month, month, day of the week')
  return new Cron(fields.join(' '), { timezone: 'UTC', mode: '5-part', paused: true })
}

function cronProblem(text: string): string | undefined {
  try {
    if (cronOf(text).nextRun(new Date(0)) === null) return 'a time that comes: this one is in no calendar'
    return undefined
  } catch (error) {
    return `a cron expression: ${(error as Error).message.replace(/^CronPattern: /, '')}`
  }
}

/** When one file of a dataset is due, and how it can be told from others. */
export const Expected = z.strictObject({
  cron: z
    .string()
    .superRefine((text, context) => {
      const message = cronProblem(text)
      if (message) context.addIssue({ code: 'custom', message, input: text })
    })
    .describe(
      'When it is due, in UTC: minute, hour, day of the month, month, day of the week, e.g. `0 6 * * 1-5`. Where both days are given, either is enough.',
    ),
  grace: z
    .string()
    .regex(/^[1-9][0-9]{0,3}[mhd]$/, 'minutes, hours or days, e.g. "90m", "2h", "1d"')
    .default('1h')
    .describe('How long after that it may come before it is overdue: minutes, hours or days, e.g. `90m`, `2h`, `1d`.'),
  leastBytes: z
    .int()
    .min(1)
    .default(1)
    .describe(
      'Bytes of the file as it lands, of a zip packed, below which it is implausibly small and does not count.',
    ),
  prefix: z
    .string()
    .regex(/^(landing|data)\/[^/]+\//, '"landing/<dataset>/" or "data/<dataset>/", and how the name begins')
    .optional()
    .describe(
      'How the key of the file begins that is meant, e.g. `landing/sales/orders-`. Default: any file that lands for the dataset.',
    ),
})
export type Expected = z.infer<typeof Expected>

const one = z.union([Expected, z.array(Expected).min(1)], { error: 'an object with a cron, or a list of such' })

export const ExpectedField = one
  .optional()
  .describe(
    'When files are due. One that has not come when its grace is over, or only came implausibly small, is reported once: in the log, as a metric and as an event `landfall.overdue`. `landfall status` shows it until it comes.',
  )

export const expectations = ({ expected }: { expected?: z.infer<typeof one> | undefined }): Expected[] =>
  expected === undefined ? [] : Array.isArray(expected) ? expected : [expected]

export const graceMs = ({ grace }: Pick<Expected, 'grace'>): number =>
  Number(grace.slice(0, -1)) * UNITS[grace.slice(-1) as keyof typeof UNITS]

/** The newest instant, not after `at`, at which a file was due, and the one before it. Epoch milliseconds. */
export function dueUntil({ cron }: Pick<Expected, 'cron'>, at: number): { due?: number; before?: number } {
  // Strictly before, in whole seconds.
  const until = new Date(Math.floor(at / 1000) * 1000 + 1000)
  const [due, before] = cronOf(cron)
    .previousRuns(2, until)
    .map((date) => date.getTime())
  return { ...(due !== undefined && { due }), ...(before !== undefined && { before }) }
}
