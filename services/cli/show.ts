import { isRerun, LIVE } from '../ledger/causes.ts'
import type { Problem, Run } from '../ledger/run.ts'
import { ending, type StageTime } from '../operations/outcome.ts'
import { type Balance, type Shown, show as showRun } from '../operations/show.ts'
import { COST_AT, costTable, usd } from './cost.ts'
import { EXIT } from './exit.ts'
import { age, count, instant, paint, plural, seconds, table, visible, wrap } from './format.ts'
import { stateWords } from './runs.ts'
import { target } from './runtime.ts'
import { print, shortId } from './screen.ts'

/** Members, partitions and other runs that are named; --json has all. */
const NAMED = 12
const WIDTH = 110

export async function show(text: string, { json, aws }: { json?: boolean; aws?: boolean }): Promise<number> {
  const landfall = await target(aws ?? false)
  try {
    const shown = await showRun(landfall, text)
    print(json ? JSON.stringify(shown) : showText(shown, landfall.ledger.now(), aws ? 'aws' : 'laptop'))
    return EXIT.done
  } finally {
    landfall.close()
  }
}

export function showText(shown: Shown, now: Date, at: keyof typeof COST_AT = 'laptop'): string {
  const { run, others } = shown
  const blocks = [`${paint('bold', visible(run.key))}\n${facts(shown, now)}`]
  if (run.problem) blocks.push(problemText(run.problem, shown.advice))
  if (run.sameAs) blocks.push(warningText(run.sameAs))
  blocks.push(`${paint('bold', 'Lineage')}\n${lineage(shown).join('\n')}`)
  if (run.kind === 'csv') blocks.push(`${paint('bold', 'Balance')}\n  ${balanceText(shown.balance, run)}`)
  const reasons = run.reasons ?? []
  if (reasons.length > 0) blocks.push(`${reasonTable(reasons)}\nlandfall rejects ${shortId(run)} shows the rows.`)
  if (shown.times.length > 0) blocks.push(timeTable(shown.times))
  if (shown.jobs.length > 0) blocks.push(jobTable(shown))
  if (shown.cost.parts.length > 0) blocks.push(costText(shown, at))
  if (others.length > 0) blocks.push(otherTable(run, others))
  return blocks.join('\n\n')
}

function facts(shown: Shown, now: Date): string {
  const { run, landedToQueryable } = shown
  const lines: [string, string][] = [
    ['run', run.runId + causeWords(run)],
    ['state', stateWords(run) + nowWords(shown, now)],
    ...causeFacts(run),
    ['source', `${run.dataset}, ${run.sourceId}`],
    ['version', `${visible(run.versionId)}, ${plural(run.bytes, 'byte')}, landed ${instant(run.landedAt)} UTC`],
  ]
  if (run.endedAt) lines.push(['ended', `${instant(run.endedAt)} UTC`])
  if (landedToQueryable !== undefined) lines.push(['queryable', `${seconds(landedToQueryable)} after it landed`])
  if (run.contractVersion) lines.push(['contract', `version ${run.contractVersion} of ${run.dataset}`])
  if (run.code) lines.push(['code', codeWords(run)])
  if (run.kind === 'csv') lines.push(['in the table', tableWords(shown)])
  else if (shown.withdrawnAt) lines.push(['withdrawn', `${instant(shown.withdrawnAt)} UTC`])
  return lines.map(([name, text]) => `  ${name.padEnd(12)}  ${text}`).join('\n')
}

/** A deployment may have come between. */
const codeWords = ({ code = '', endedCode = code }: Run) =>
  code === endedCode ? code : `${code} when it was registered, ${endedCode} when it ended`

function causeWords({ cause }: Run): string {
  if (cause === LIVE) return ''
  return isRerun(cause) ? `, by ${cause}` : `, by replay ${cause}`
}

/** Whose typed rows it partitioned, and whose place in the table it was to take. */
function causeFacts({ typedBy, replaces }: Run): [string, string][] {
  const facts: [string, string][] = []
  if (typedBy) facts.push(['typed by', `run ${shortId(typedBy)}`])
  if (replaces) {
    const { accepted, rejected } = replaces
    facts.push(['instead of', `run ${shortId(replaces)}, ${count(accepted)} accepted, ${count(rejected)} rejected`])
  }
  return facts
}

function nowWords({ now: at }: Shown, now: Date): string {
  if (!at) return ''
  const since = at.since ? ` since ${age(now.getTime() - Date.parse(at.since))}` : ''
  const job = at.jobRunId ? `, in job run ${at.jobRunId}` : ''
  return at.doing === 'waits' ? `: waits for ${at.stage}${since}` : `: ${at.stage} works on it${since}${job}`
}

function tableWords({ inTable, inTableInstead, withdrawnAt, run }: Shown): string {
  // Published, and not yet in the catalog: there, but no query finds it.
  if (inTable) return run.state === 'published' ? 'in the delivery zone; the catalog has not been told yet' : 'yes'
  if (withdrawnAt) return `no: withdrawn ${instant(withdrawnAt)} UTC`
  return inTableInstead ? `no: the rows of run ${inTableInstead.slice(0, 8)} are there for this source` : 'no'
}

const warningText = ({ key, landedAt, runId }: NonNullable<Run['sameAs']>) => {
  const words = `It has the same bytes as ${visible(key)}, which landed ${instant(landedAt)} UTC (run ${shortId({ runId })}): if that was meant to be the same file, its rows are in the table twice. landfall withdraw takes one of them out.`
  return `${paint('bold', 'Warning')}: same_content\n  ${wrap(words, WIDTH, '  ')}`
}

const problemText = ({ code, message }: Problem, advice: string | undefined) =>
  [
    `${paint('bold', 'Problem')}: ${code}\n  ${wrap(visible(message), WIDTH, '  ')}`,
    ...(advice ? [`${paint('bold', 'What to do')}\n  ${wrap(advice, WIDTH, '  ')}`] : []),
  ].join('\n')

/** From the zip to the partitions, each below what it came of. */
function lineage({ run, zip, members, parts, partitions }: Shown): string[] {
  const lines: string[] = []
  const add = (depth: number, text: string) => lines.push(`  ${'   '.repeat(depth)}${depth > 0 ? '└─ ' : ''}${text}`)
  if (zip) add(0, `${visible(zip.key)}  (run ${shortId(zip)}, ${zip.state})`)
  const depth = zip ? 1 : 0
  add(depth, `${visible(run.key)}  (${ending(run)})`)
  for (const member of (members ?? []).slice(0, NAMED)) {
    const { run: of } = member
    const what = of
      ? `run ${shortId(of)}, ${ending(of)}${of.rowsIn === undefined ? '' : `, ${plural(of.rowsIn, 'row')} in`}`
      : 'not registered yet'
    add(depth + 1, `${visible(member.key)}  (${what})`)
  }
  if ((members?.length ?? 0) > NAMED) add(depth + 1, `… and ${count((members?.length ?? 0) - NAMED)} more`)
  const skipped = run.skipped ?? []
  for (const { name, reason, stays } of skipped.slice(0, NAMED)) {
    const rest = stays ? ' What the table has of its last good version stays.' : ''
    add(depth + 1, wrap(`${visible(name)}  (skipped: ${visible(reason)}${rest})`, WIDTH, ' '.repeat(3 * depth + 8)))
  }
  if (skipped.length > NAMED) add(depth + 1, `… and ${count(skipped.length - NAMED)} more that were skipped`)
  for (const key of parts.slice(0, NAMED)) add(depth + 1, `${key}  (processing zone)`)
  if (parts.length > NAMED) add(depth + 1, `… and ${count(parts.length - NAMED)} more parts`)
  if (partitions.length > 0) {
    const objects = partitions.reduce((sum, { keys }) => sum + keys.length, 0)
    const names = partitions.slice(0, NAMED).map(({ value }) => visible(value))
    const more = partitions.length > NAMED ? `, … and ${count(partitions.length - NAMED)} more` : ''
    const text = `${plural(objects, 'object')} in ${plural(partitions.length, 'partition')}: ${names.join(', ')}${more}  (delivery zone)`
    add(depth + 2, wrap(text, WIDTH, ' '.repeat(3 * (depth + 2) + 5)))
  }
  return lines
}

export function balanceText(balance: Balance, { state, problem }: Pick<Run, 'state' | 'problem'>): string {
  const { rowsIn, accepted, rejected, inProcessing, inDelivery, holds } = balance
  if (rowsIn === undefined) return 'No rows of it have been counted.'
  if (state === 'refused')
    return `${count(rowsIn)} rows in, ${count(rejected)} of them bad; none was taken (${problem?.code ?? 'refused'}).`
  const later = [
    ...(inProcessing === undefined ? [] : [`${count(inProcessing)} in processing`]),
    ...(inDelivery === undefined ? [] : [`${count(inDelivery)} in delivery`]),
  ]
  const sum = `${count(rowsIn)} rows in = ${count(accepted)} accepted + ${count(rejected)} rejected`
  const words = [sum, ...later].join('; ')
  return holds ? `${words}: it balances` : `${words}: ${paint('red', 'it does not balance')}`
}

const reasonTable = (reasons: NonNullable<Run['reasons']>) =>
  table([
    ['rejected', 'column', 'rows'],
    ...reasons.map(({ reason, column, rows }) => [reason, visible(column ?? '(row)'), count(rows)]),
  ])

const timeTable = (times: StageTime[]) =>
  table([
    ['stage', 'waiting', 'starting', 'working', 'Glue job', 'in all'],
    ...times.map(({ stage, waited, starting, working, job, took }) => [
      stage,
      ...[waited, starting, working, job, took].map(seconds),
    ]),
  ])

const jobTable = ({ jobs }: Shown) =>
  table([['stage', 'job run', 'batch'], ...jobs.map(({ stage, jobRunId = '-', batch }) => [stage, jobRunId, batch])])

function costText({ cost, membersCostUsd, zip }: Shown, at: keyof typeof COST_AT): string {
  const beside = [
    ...(membersCostUsd ? [`Its members cost ${usd(membersCostUsd)} beside that.`] : []),
    ...(zip ? ['The part of unzip is its share of what the zip cost.'] : []),
  ]
  return [costTable(cost), wrap([COST_AT[at], ...beside].join(' '), WIDTH)].join('\n')
}

function otherTable(run: Run, others: Run[]): string {
  const rows = others
    .slice(0, NAMED)
    .map((other) => [
      shortId(other),
      other.seq > run.seq ? 'newer' : 'older',
      instant(other.registeredAt),
      stateWords(other),
      count(other.accepted),
      visible(other.versionId),
      visible(other.cause),
    ])
  const more = others.length > NAMED ? `\n… and ${count(others.length - NAMED)} more` : ''
  return `${table([['other runs', '', 'registered (UTC)', 'state', 'accepted', 'version', 'cause'], ...rows])}${more}`
}
