import type { Contract } from '../../../schemas/contract.ts'
import { headerLine } from '../header-line.ts'
import { apply, type Change, change, merge, pathText } from './change.ts'
import { headerChanges } from './header-changes.ts'
import type { Judged, Source } from './judge.ts'
import { valueChanges } from './value-changes.ts'

/** Changes of the contract, and what they were tried to lead to. */
export type Suggestion = {
  /** `path` as in `columns[2].formats`. */
  changes: { path: string; from: unknown; to: unknown }[]
  notes: string[]
  /** With them. */
  ends: 'delivered' | 'delivered with rejects'
  rowsIn: number
  accepted: number
  rejected: number
}

/** A value that was wrong may have hidden the next one of its row, and a header its rows: so step by step. */
const MOST_STEPS = 8

type Tried = { contract: Contract; judged: Judged; changes: Change[]; notes: string[] }

const badness = ({ report }: Judged) => (report.refusal ? Number.POSITIVE_INFINITY : report.rejected)

/**
 * Looks for changes of the contract by which it takes a source, or more of its rows. Each is tried: the source is converted again.
 * @returns undefined where there is nothing to mend, or nothing that a contract could say
 */
export async function suggest(
  source: Source,
  contract: Contract,
  first: Judged,
  judge: (contract: Contract) => Promise<Judged>,
): Promise<Suggestion | undefined> {
  let best: Tried = { contract, judged: first, changes: [], notes: [] }
  for (let step = 0; step < MOST_STEPS; step++) {
    const better = await improve(source, best, judge)
    if (!better) break
    const mended = best.judged.report.refusal !== null && !better.judged.problem
    best = better
    // Its header was the trouble: the few rows that are bad besides are rejects like others.
    if (mended) break
  }
  // What only uncovered the next wrong value of each row has won nothing.
  const won = badness(best.judged) < badness(first)
  const { judged, changes, notes } = raiseShare(won ? best : { contract, judged: first, changes: [], notes: [] })
  if (changes.length === 0 || judged.problem) return undefined
  const { rowsIn, accepted, rejected } = judged.report
  return {
    changes: merge(changes).map(({ path, from, to }) => ({ path: pathText(path), from, to })),
    notes: [...new Set(notes)],
    ends: rejected > 0 ? 'delivered with rejects' : 'delivered',
    rowsIn,
    accepted,
    rejected,
  }
}

/** Fewer rows are wrong, or as many for another reason: a row tells only of its first wrong value. */
function isOn(judged: Judged, from: Judged): boolean {
  const less = badness(judged) - badness(from)
  return less < 0 || (less === 0 && JSON.stringify(judged.report.reasons) !== JSON.stringify(from.report.reasons))
}

async function improve(source: Source, from: Tried, judge: (contract: Contract) => Promise<Judged>) {
  const admissions = await admissionsOf(source, from)
  let { contract } = from
  const changes: Change[] = []
  const notes: string[] = []
  for (const admission of admissions) {
    const changed = apply(contract, admission.changes)
    if (!changed) continue
    contract = changed
    changes.push(...admission.changes)
    if (admission.note) notes.push(admission.note)
  }
  if (changes.length === 0) return undefined
  const judged = await judge(contract)
  if (!isOn(judged, from.judged)) return undefined
  return { contract, judged, changes: [...from.changes, ...changes], notes: [...from.notes, ...notes] }
}

async function admissionsOf(source: Source, { contract, judged }: Tried) {
  const { refusal } = judged.report
  if (!refusal) return judged.report.rejected > 0 ? await valueChanges(contract, judged) : []
  if (refusal.code !== 'header_mismatch') return []
  const multiline: boolean = contract.source.multiline
  const line = await headerLine(await source.open(), {
    gzip: /\.gz$/i.test(source.name),
    quote: multiline ? contract.source.quote : undefined,
  })
  const changes = line === undefined ? undefined : headerChanges(contract, line, source.name)
  return changes ? [{ changes, note: headerNote(contract, changes) }] : []
}

function headerNote({ columns, missingColumns }: Contract, changes: Change[]): string | undefined {
  const renamed = changes.filter(({ path }) => path[0] === 'columns')
  if (renamed.length > 0)
    return `Make sure that ${renamed.map(({ to, path }) => `"${to}" is ${columns[Number(path[1])]?.name}`).join(', ')}. Files with the old header are refused then.`
  return changes.some(({ path }) => path[0] === 'missingColumns') && missingColumns === 'refuse'
    ? 'The columns that the file lacks are null in all of its rows.'
    : undefined
}

/** What is still too much may be let through, if its owner says so. */
function raiseShare(tried: Tried): Tried {
  const { contract, judged, changes, notes } = tried
  if (judged.problem?.code !== 'too_many_rejects') return tried
  const { rejected, rowsIn, accepted } = judged.report
  if (accepted === 0) return tried
  const share = Math.min(1, Math.ceil((rejected / rowsIn) * 1000) / 1000)
  return {
    contract,
    judged: { ...judged, problem: undefined },
    changes: [...changes, change(contract, ['maxRejectShare'], share)],
    notes: [...notes, `${rejected} of ${rowsIn} rows are then left out, and the others delivered.`],
  }
}
