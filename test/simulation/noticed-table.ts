import { readFile, writeFile } from 'node:fs/promises'
import type { Mutation } from './mutations.ts'
import type { Noticed } from './notice.ts'
import { BY_TEST } from './safeties/by-test.ts'

const PLACE = new URL('MUTATIONS.md', import.meta.url)

/** What the table keeps of a safety: which seed notices, if any does, with what else off. */
export type Kept = { name: string; seed?: number; offToo: string[] }

/** What broke, in one line. */
export const lineOf = (wrong: string): string =>
  (
    wrong
      .split('\n')
      .slice(1)
      .find((line) => line.trim() !== '') ?? wrong
  ).slice(0, 160)

export async function keep(rows: [Mutation, Noticed | undefined][], schedules: number, seed: number): Promise<void> {
  const before = await readFile(PLACE, 'utf8').catch(() => '')
  const cells = rows.map(([{ name, file }, noticed]) => [
    name,
    file,
    noticed ? String(noticed.seed) : '-',
    noticed?.offToo.join('; ') ?? '',
    noticed ? lineOf(noticed.wrong) : `not noticed in ${schedules} schedules`,
  ])
  const lines = cells.map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
  const text = `# Safeties, each switched off

Made by \`npm run simulate -- --mutations --schedules ${schedules} --write\`: one place of the real code is changed as it is loaded (\`safeties/\`), and schedules are played from seed ${seed} on until a promise breaks. Where another safety stands behind one, so that nothing breaks while that one holds, it is off as well: the seed is of a schedule that holds with what stands behind off, and breaks when the first one is off, too. A test plays these seeds again.

| safety that is off | file | noticed by seed | off as well, as it stands behind | what broke |
| --- | --- | --- | --- | --- |
${lines.join('\n')}

## Noticed by a test

No schedule has noticed these: the test named fails where they are off.

| safety that is off | test | file of the test |
| --- | --- | --- |
${BY_TEST.map(({ name, test }) => `| ${name} | ${test.title} | ${test.file} |`).join('\n')}
`
  if (text !== before) await writeFile(PLACE, text)
}

export async function kept(): Promise<Kept[]> {
  const rows = (await readFile(PLACE, 'utf8')).matchAll(/^\| (.+?) \| services\S+ \| (\d+|-) \| (.*?) \| .* \|$/gm)
  return [...rows].map(([, name = '', seed, off = '']) => ({
    name,
    ...(seed !== '-' && { seed: Number(seed) }),
    offToo: off === '' ? [] : off.split('; '),
  }))
}
