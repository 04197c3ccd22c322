import { deliveryPrefix, physicalTable } from '../../schemas/locations.ts'
import { memberFolderOf, parseDeliveryKey } from '../../services/ledger/ids.ts'
import type { Run } from '../../services/ledger/run.ts'
import { rowsOf } from '../services/memory/engine.ts'
import { DELIVERY, PROCESSING, RAW, type World } from '../services/memory/world.ts'
import { ends } from './ends.ts'
import type { Faults } from './faults.ts'
import { notTold } from './model.ts'
import type { People } from './people.ts'

/**
 * What does not hold of the promises when all is at rest, in words.
 * @param isLast nothing is left to mend: then people see the contract's version and nothing is in a DLQ
 */
export function broken(world: World, people: People, faults: Faults, isLast: boolean): string[] {
  return [
    ...table(world, people, isLast),
    ...landed(world, isLast),
    ...ends(world, people, faults, isLast),
    ...books(world),
    ...zones(world, people, isLast),
    ...catalog(world, people, isLast),
    ...letters(world, isLast),
    ...notTold(world).map((rerun) => `a rerun was not told, or waits: ${JSON.stringify(rerun)}`),
  ]
}

const RESTS = ['extracted', 'delivered', 'refused', 'failed', 'superseded']

function table(world: World, { timeline, version }: People, isLast: boolean): string[] {
  const seen = world.rows().map((row) => row.split('@v') as [string, string?])
  const versions = new Set(seen.map(([, typed = '1']) => typed))
  const wrong: string[] = []
  if (versions.size > 1) wrong.push(`a reader sees rows of the versions ${[...versions].join(' and ')} of the contract`)
  if (new Set(seen.map(([row]) => row)).size < seen.length) wrong.push('a row is in the table twice')
  if (isLast && seen.length > 0 && !versions.has(String(version)))
    wrong.push(`people see version ${[...versions]} of the contract; ${version} is deployed`)
  // Until then failed files lack their rows, and a new version is seen only when all is typed under it.
  if (isLast) wrong.push(...timeline.wrong(seen.map(([row]) => row)))
  return wrong
}

/** What is there, and of which nobody has heard; but for what a newer zip, which was archived, has uncovered: once a day that is looked for. */
export function unheard(world: World): { key: string; versionId: string }[] {
  const runs = world.runs()
  const known = new Set(runs.map(({ key, versionId }) => `${key} ${versionId}`))
  const isUncovered = (key: string, modified: Date) =>
    runs.some((run) => run.key === key && run.state === 'extracted' && Date.parse(run.landedAt) > modified.getTime())
  const current = world.objects.versions(RAW).filter((each) => each.current && !each.marker)
  return current.filter(
    ({ key, versionId, modified }) =>
      /^(landing|data)\//.test(key) && !known.has(`${key} ${versionId}`) && !isUncovered(key, modified),
  )
}

/** Whether a crawl is due. */
export function isBehind(world: World): boolean {
  const state = [...world.table.items.values()].find(({ pk, sk }) => pk === 'TABLE#sales' && sk === 'STATE')
  return Number(state?.dirty ?? 0) > Number(state?.crawled ?? 0)
}

/** Nothing is lost or silent. */
function landed(world: World, isLast: boolean): string[] {
  const runs = world.runs()
  const unknown = unheard(world)
  const open = runs.filter(({ state, endedAt }) => !RESTS.includes(state) || (isLast && endedAt === undefined))
  const silent = runs.filter(
    ({ state, problem }) => /refused|failed|superseded/.test(state) !== (problem !== undefined),
  )
  return [
    ...unknown.map(({ key, versionId }) => `${key} ${versionId} landed, and has no run`),
    ...open.map((run) => `${nameOf(run)} does not end: ${run.state}`),
    ...silent.map((run) => `${nameOf(run)} is ${run.state}, and says ${run.problem?.message ?? 'nothing'}`),
  ]
}

const nameOf = ({ key, versionId, cause }: Run) => `${key} ${versionId} (${cause})`

/** Rows in = accepted + rejected = rows in the zones. */
function books(world: World): string[] {
  return world.runs().flatMap((run) => {
    const { state, kind, rowsIn, accepted, rejected, processingRows, deliveredRows } = run
    if (kind !== 'csv' || state !== 'delivered') return []
    const balance =
      rowsIn === (accepted ?? 0) + (rejected ?? 0) && accepted === processingRows && accepted === deliveredRows
    return balance
      ? []
      : [
          `${nameOf(run)} is delivered, and its books do not balance: ${rowsIn} in, ${accepted} + ${rejected}, ${processingRows}, ${deliveredRows}`,
        ]
  })
}

/** Another run of the same version may have taken its typed rows, and failed before it could put its own in their place. */
const HALF = /^(partition_unfinished|convert_not_published)$/

/** Whether a failed run may have left a source half-way: one of its own, or one of the zip that takes it out. */
const isLeft = ({ key, kind, dataset, state, problem }: Run, source: string) =>
  kind === 'csv'
    ? key === source && HALF.test(problem?.code ?? '')
    : state === 'failed' && source.startsWith(memberFolderOf(dataset, key))

/** Of each source the delivery zone has the rows of the run that the ledger names, and of no other. */
function zones(world: World, people: People, isLast: boolean): string[] {
  const wrong: string[] = []
  const heads = [...world.table.items.values()].filter(({ pk, sk }) => pk.startsWith('SOURCE#') && sk === 'HEAD')
  const runs = new Map(world.runs().map((run) => [run.runId, run]))
  const prefix = deliveryPrefix(world.contract)
  const found = new Map<string, number>()
  for (const [key, text] of world.objects.texts(DELIVERY, prefix)) {
    const id = parseDeliveryKey(key)?.sourceId ?? key
    found.set(id, (found.get(id) ?? 0) + rowsOf(text).length)
  }
  const halfOut = isLast ? [] : [...people.brokenOff].flatMap((key) => people.familyOf(key))
  for (const { sourceId, key, deliveryRun, deliveryVersion = 1, lockUntil } of heads) {
    const run = runs.get(String(deliveryRun))
    const rows = found.get(String(sourceId)) ?? 0
    found.delete(String(sourceId))
    if (Number(lockUntil ?? 0) > world.clock.ms) wrong.push(`${key} is locked`)
    // What could not be finished, and has failed so, is made good by a rerun.
    const isHalf = !isLast && [...runs.values()].some((each) => isLeft(each, String(key)))
    if (isHalf || halfOut.includes(String(key))) continue
    const wanted = deliveryRun && deliveryVersion === (world.contract.version ?? 1) ? (run?.accepted ?? 0) : 0
    if (rows !== wanted)
      wrong.push(`${key} has ${rows} rows in the delivery zone; the ledger says ${wanted} (${deliveryRun})`)
  }
  for (const { key, deliveryRun } of heads) {
    const shown = runs.get(String(deliveryRun))
    const later = [...runs.values()].find(
      (run) => shown && run.key === key && run.state === 'delivered' && run.seq > shown.seq && !run.typedBy,
    )
    if (later && shown && !shown.typedBy)
      wrong.push(`${nameOf(later)} is delivered, and the table shows ${nameOf(shown)}, which came before it`)
  }
  for (const [id, rows] of found) wrong.push(`${id}, which no ledger knows, has ${rows} rows in the delivery zone`)
  if (world.objects.keys(PROCESSING).length > 0 && heads.length === 0) wrong.push('processing has objects of no source')
  return wrong
}

function catalog(world: World, people: People, isLast: boolean): string[] {
  // What broke off half-way has told nobody: until it is done again, the hourly look at the catalog finds what it left.
  const runs = world.runs()
  const isZip = runs.some(({ kind, state }) => kind === 'zip' && state === 'failed')
  const isHalf = people.brokenOff.size > 0 || isZip || runs.some(({ problem }) => HALF.test(problem?.code ?? ''))
  if (isHalf && !isLast) return []

  const prefix = deliveryPrefix(world.contract)
  const folders = new Set(
    world.objects.keys(DELIVERY, prefix).map((key) => `s3://${DELIVERY}/${key.slice(0, key.lastIndexOf('/') + 1)}`),
  )
  const known = world.glue.tables.get(`${physicalTable(world.contract).database}.${physicalTable(world.contract).name}`)
  const locations = new Set(known?.partitions.values() ?? [])
  return [
    ...[...folders].filter((folder) => !locations.has(folder)).map((folder) => `the catalog lacks ${folder}`),
    ...[...locations]
      .filter((location) => !folders.has(location))
      .map((location) => `the catalog has ${location}, which is empty`),
  ]
}

/** A message in a DLQ has a failed run, or one that something else has ended; in the end there are none. */
function letters(world: World, isLast: boolean): string[] {
  const runs = world.runs()
  return world.deadLetters.flatMap((letter) => {
    if (isLast) return [`a message is in the DLQ of ${letter.to}`]
    if (letter.kind !== 'object' || (letter.to !== 'unzip' && letter.to !== 'convert')) return []
    const { object } = letter.event.detail
    const known = runs.some(({ key, versionId }) => key === object.key && versionId === object['version-id'])
    return known ? [] : [`${object.key} ${object['version-id']} is in the DLQ of ${letter.to}, and has no run`]
  })
}
