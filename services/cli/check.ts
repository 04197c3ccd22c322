import { type Checked, type CheckedSource, checkFile, type Refusal } from '../operations/check/check.ts'
import type { Suggestion } from '../operations/check/suggest.ts'
import type { Skipped } from '../unzip/extract.ts'
import { contractHere } from './contracts.ts'
import { EXIT } from './exit.ts'
import { count, paint, table, visible, wrap } from './format.ts'
import { print, rejectLine } from './screen.ts'

const WIDTH = 110
/** Bad rows of one source that are shown; --json has up to 20. */
const SHOWN = 10

export async function check(file: string, { dataset, json }: { dataset: string; json?: boolean }): Promise<number> {
  const checked = await checkFile(file, contractHere(dataset))
  print(json ? JSON.stringify(checked) : checkText(checked))
  return checked.ends === 'refused' ? EXIT.refused : EXIT.done
}

const COLOURS = { delivered: 'green', 'delivered with rejects': 'yellow', refused: 'red' } as const

export function checkText({ file, dataset, ends, problem, sources, skipped }: Checked): string {
  const blocks = [`${visible(file)} would be ${paint(COLOURS[ends], ends)}.`]
  if (problem) blocks.push(refusalText(problem))
  if (sources.length > 0)
    blocks.push(
      table([
        ['source', 'rows in', 'accepted', 'rejected', 'would be'],
        ...sources.map(({ name, rowsIn, accepted, rejected, ends, problem }) => [
          visible(name),
          // A file whose rows nobody can read has no number of them.
          count(problem && problem.code !== 'too_many_rejects' ? undefined : rowsIn),
          count(accepted),
          count(rejected),
          paint(COLOURS[ends], ends),
        ]),
      ]),
    )
  for (const source of sources) blocks.push(...sourceBlocks(source, dataset, sources.length > 1))
  if (skipped.length > 0) blocks.push(skippedText(skipped))
  return blocks.join('\n\n')
}

const refusalText = ({ message, advice }: Refusal) =>
  `${paint('red', 'Refused')}: ${wrap(visible(message), WIDTH, '  ')}\nWhat to do: ${wrap(advice, WIDTH, '  ')}`

function sourceBlocks(source: CheckedSource, dataset: string, several: boolean): string[] {
  const { name, problem, rejected, examples, reasons, suggestion } = source
  const blocks = several && (problem || rejected > 0) ? [paint('bold', visible(name))] : []
  if (problem) blocks.push(refusalText(problem))
  if (rejected > 0) {
    const most = reasons.map(({ reason, column, rows }) => [reason, visible(column ?? '(row)'), count(rows)])
    blocks.push(table([['rejected', 'column', 'rows'], ...most]))
    const rows = examples.slice(0, SHOWN).map((reject) => rejectLine(reject).map((cell) => visible(cell, 100)))
    const more = rejected > SHOWN ? `\n… and ${count(rejected - rows.length)} more` : ''
    blocks.push(`${table([['line', 'column', 'value', 'reason'], ...rows])}${more}`)
  }
  if (suggestion) blocks.push(suggestionText(suggestion, dataset))
  return blocks
}

function suggestionText({ changes, notes, rowsIn, accepted, rejected, ends }: Suggestion, dataset: string): string {
  const rows = changes.map(({ path, from, to }) => [path, JSON.stringify(from) ?? 'absent', JSON.stringify(to)])
  return [
    `A contract that would take it: in schemas/datasets/${dataset}.json, which holds for every file of ${dataset},`,
    table([['field', 'now', 'would be'], ...rows]),
    `With that: ${count(rowsIn)} rows in, ${count(accepted)} accepted, ${count(rejected)} rejected: ${ends}.`,
    ...notes.map((note) => wrap(note, WIDTH)),
  ].join('\n')
}

const skippedText = (skipped: Skipped[]) =>
  table([['skipped', 'because'], ...skipped.map(({ name, reason }) => [visible(name), reason])])
