import { mkdtempSync, rmSync } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { Contract } from '../../../schemas/contract.ts'
import type { Reject, SourceReport } from '../../../schemas/report.ts'
import { memberFolderOf } from '../../ledger/ids.ts'
import type { Problem } from '../../ledger/run.ts'
import { contents } from '../../unzip/contents.ts'
import { checkBytes, noCsv, type Planned, readDirectory } from '../../unzip/directory.ts'
import { boundsOf, declared, type Skipped, ZipRefused } from '../../unzip/extract.ts'
import { ASSUMED_TIME, checkTime } from '../../unzip/time.ts'
import { adviceOn } from '../advice.ts'
import { checkFiles, landingKey } from '../land.ts'
import { judge, type Source } from './judge.ts'
import { LocalZip } from './local-zip.ts'
import { type Suggestion, suggest } from './suggest.ts'

export type Ends = 'delivered' | 'delivered with rejects' | 'refused'
export type Refusal = Problem & { advice: string }

/** What would become of one CSV. */
export type CheckedSource = {
  /** The file, or the member of the zip. */
  name: string
  /** Its key in the raw zone, if the file lands under its own name. */
  key: string
  ends: Ends
  problem?: Refusal
  rowsIn: number
  /** 0 where it would be refused. */
  accepted: number
  rejected: number
  reasons: SourceReport['reasons']
  /** The first bad rows, at most 20. */
  examples: Reject[]
  /** The contract that would take it, or more of it. */
  suggestion?: Suggestion
}

/** `ends` is `refused` where the file, or any CSV of a zip, would be. */
export type Checked = {
  file: string
  dataset: string
  ends: Ends
  /** Why a zip would be refused as a whole: then nothing of it is taken. */
  problem?: Refusal
  sources: CheckedSource[]
  skipped: Skipped[]
}

/** Sources of one file for which a contract is looked for: each takes a conversion or two. */
const MOST_SUGGESTIONS = 5

const refusal = ({ code, message }: Problem): Refusal => ({ code, message, advice: adviceOn(code) })

/**
 * Says what would happen to a file, before any of it is uploaded: by the same code as the chain's, on this machine.
 * @throws NotLandable for a file that cannot be landed by its name, or cannot be read
 */
export async function checkFile(file: string, contract: Contract): Promise<Checked> {
  await checkFiles([file], contract.dataset)
  const dir = mkdtempSync(join(tmpdir(), 'landfall-check-'))
  const remove = () => rmSync(dir, { recursive: true, force: true })
  // The job's code ends the process when it is interrupted; then this is all that is left to say when.
  process.on('exit', remove)
  try {
    return /\.zip$/i.test(file) ? await checkZip(file, contract, dir) : await checkCsv(file, contract, dir)
  } finally {
    process.off('exit', remove)
    remove()
  }
}

async function checkCsv(file: string, contract: Contract, dir: string): Promise<Checked> {
  const { size } = await stat(file)
  const source = {
    name: file,
    bytes: size,
    open: async () => (await open(file)).createReadStream({ highWaterMark: 1 << 20 }),
  }
  const checked = await checkSource(source, landingKey(file, contract.dataset), contract, dir, true)
  return { file, dataset: contract.dataset, ends: checked.ends, sources: [checked], skipped: [] }
}

async function checkZip(file: string, contract: Contract, dir: string): Promise<Checked> {
  const { dataset } = contract
  const { size } = await stat(file)
  const zip = { bucket: '', key: file, versionId: '', etag: '', bytes: size }
  const prefix = memberFolderOf(dataset, landingKey(file, dataset))
  const bounds = boundsOf(contract.limits)
  const reader = await LocalZip.open(file)
  try {
    const { badMembers } = contract.zip
    const { members: planned, skipped } = await readDirectory(reader, zip, prefix, bounds, { badMembers })
    checkTime(zip, declared(planned), ASSUMED_TIME)
    // All of it first, as unzip does: one damaged member may refuse the whole zip.
    const members: Planned[] = []
    let total = 0
    for (const member of planned) {
      try {
        for await (const chunk of contents(reader, zip, member)) {
          total += chunk.length
          checkBytes(zip, total, bounds, member.name)
        }
        members.push(member)
      } catch (error) {
        if (badMembers !== 'skip' || !(error instanceof ZipRefused) || !error.isOfMember) throw error
        skipped.push({ name: member.name, reason: error.message, code: error.code })
      }
    }
    if (members.length === 0) throw noCsv(zip, planned.length + skipped.length, skipped)
    const sourceOf = (member: Planned): Source => ({
      name: `${file}/${member.name}`,
      bytes: member.entry.bytes,
      open: async () => Readable.from(contents(reader, zip, member), { objectMode: false }),
    })
    const sources: CheckedSource[] = []
    for (const member of members) {
      const advise = sources.filter(({ suggestion }) => suggestion).length < MOST_SUGGESTIONS
      const checked = await checkSource(sourceOf(member), prefix + member.key, contract, dir, advise)
      sources.push({ ...checked, name: member.name })
    }
    const ends = (['refused', 'delivered with rejects'] as const).find((end) =>
      sources.some(({ ends }) => ends === end),
    )
    return { file, dataset, ends: ends ?? 'delivered', sources, skipped }
  } catch (error) {
    if (!(error instanceof ZipRefused)) throw error
    return { file, dataset, ends: 'refused', problem: refusal(error), sources: [], skipped: [] }
  } finally {
    await reader.close()
  }
}

async function checkSource(
  source: Source,
  key: string,
  contract: Contract,
  dir: string,
  advise: boolean,
): Promise<CheckedSource> {
  const judged = await judge(source, contract, dir)
  const { report, problem } = judged
  const { rowsIn, rejected, reasons, examples } = report
  const suggestion = advise
    ? await suggest(source, contract, judged, (changed) => judge(source, changed, dir))
    : undefined
  return {
    name: source.name,
    key,
    ends: problem ? 'refused' : rejected > 0 ? 'delivered with rejects' : 'delivered',
    ...(problem && { problem: refusal(problem) }),
    rowsIn,
    accepted: problem ? 0 : report.accepted,
    rejected,
    reasons,
    examples,
    ...(suggestion && { suggestion }),
  }
}
