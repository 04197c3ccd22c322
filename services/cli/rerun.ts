import type { Landfall } from '../operations/connect.ts'
import { followRerun, RerunBroken } from '../operations/follow-rerun.ts'
import {
  asWords,
  type Begun,
  beginRerun,
  type Extent,
  executionName,
  extentOf,
  joinable,
  NotRerunnable,
  rerunPrefix,
} from '../operations/rerun.ts'
import { listReruns } from '../operations/reruns.ts'
import { MOST_KEYS, type RerunInput } from '../rerun/input.ts'
import { checkConfirmable, confirm } from './confirm.ts'
import { EXIT, WrongUsage } from './exit.ts'
import { count } from './format.ts'
import { liveLine } from './live-line.ts'
import { quietly, signal } from './process.ts'
import { endedText, listText, progressWords, touchesText } from './rerun-text.ts'
import { target } from './runtime.ts'
import { print, say } from './screen.ts'

export type RerunOptions = {
  prefix?: string
  only?: ('failed' | 'refused')[]
  since?: Date
  dryRun?: boolean
  list?: boolean
  wait?: boolean
  yes?: boolean
  json?: boolean
  aws?: boolean
}

export async function rerun(dataset: string | undefined, options: RerunOptions): Promise<number> {
  checkOptions(options)
  const landfall = await target(options.aws ?? false)
  try {
    return options.list ? await listOf(landfall, dataset, options) : await rerunOn(landfall, dataset, options)
  } finally {
    landfall.close()
  }
}

function checkOptions({ list, prefix, only, since, dryRun, ...asking }: RerunOptions): void {
  if (!list) checkConfirmable(asking)
  else if (prefix !== undefined || only || since || dryRun)
    throw new WrongUsage('--list shows the reruns that there are: of the other options it takes --json and --aws.')
}

/** What rerun needs of a deployment. */
type Deployed = Pick<Landfall, 's3' | 'rawBucket' | 'ledger' | 'machine' | 'datasets' | 'contractVersions'>

/** @throws WrongUsage */
function datasetAmong(datasets: string[], dataset: string | undefined): string {
  const [only, ...others] = datasets
  if (dataset === undefined && only !== undefined && others.length === 0) return only
  if (dataset !== undefined && datasets.includes(dataset)) return dataset
  const found = dataset === undefined ? 'Name the dataset to run again' : `No dataset "${dataset}" is deployed`
  throw new WrongUsage(`${found} (deployed: ${datasets.join(', ')}).`)
}

export async function listOf(landfall: Deployed, dataset: string | undefined, { json }: RerunOptions): Promise<number> {
  if (dataset !== undefined) datasetAmong(landfall.datasets, dataset)
  const lines = await listReruns(landfall, { dataset })
  if (json) print(JSON.stringify(lines))
  else print(listText(lines))
  return EXIT.done
}

export async function rerunOn(
  landfall: Deployed,
  named: string | undefined,
  { prefix, only, since, dryRun, wait = true, yes, json }: RerunOptions,
): Promise<number> {
  const dataset = datasetAmong(landfall.datasets, named)
  const input = {
    dataset,
    prefix: rerunPrefix(dataset, prefix),
    ...(only?.length && { only: [...new Set(only)].sort() }),
    ...(since && { since: since.toISOString() }),
    ...(dryRun && { dryRun }),
  }
  const versions = await landfall.contractVersions(dataset)
  if (dryRun) checkDry(dataset, versions)
  const atWork = await joinable(landfall, input)
  if (!atWork) {
    const extent = await extentOf(landfall, input, signal)
    checkExtent(extent, input.prefix)
    // The end of a rerun switches the table, too, where nothing has to run again for that.
    if ((extent.fitting === 0 || extent.landed === 0) && !isToBeSwitched(versions)) {
      if (json) print(JSON.stringify({ extent }))
      else print(`Nothing to run again: none of the ${count(extent.files)} files below ${asWords(input)} fits.`)
      return EXIT.done
    }
    await confirm({
      touches: touchesText(input, extent, isToBeSwitched(versions) ? versions : undefined),
      question: `Run ${dataset} again?`,
      yes,
      json,
    })
  }
  const begun = atWork ?? (await beginRerun(landfall, input))
  if (begun.joined) say(`A rerun of ${dataset} for the same is at work already: ${executionName(begun.rerun)}.`)
  else say(`Started ${executionName(begun.rerun)}.`)
  if (!wait) {
    if (json) print(JSON.stringify(begun))
    else print(`landfall rerun --list shows how far it is.`)
    return EXIT.done
  }
  return await followTo(landfall, input, begun, json)
}

type ContractVersions = Awaited<ReturnType<Landfall['contractVersions']>>

const isToBeSwitched = ({ served, deployed }: ContractVersions) =>
  deployed !== undefined && served !== undefined && served !== deployed

/** @throws NotRerunnable where a dry run would change the table */
function checkDry(dataset: string, versions: ContractVersions): void {
  if (isToBeSwitched(versions)) return
  const { deployed } = versions
  throw new NotRerunnable(
    `There is nothing to try: people see the version of the contract of ${dataset} that is deployed${deployed ? ` (${deployed})` : ''}, so that a rerun writes to their table. A dry run is for a contract with a higher "version", once it is deployed and until its rerun has switched the table.`,
  )
}

/** @throws NotRerunnable */
function checkExtent({ files }: Extent, prefix: string): void {
  if (files === 0) throw new NotRerunnable(`No file of the raw zone is below ${prefix}.`)
  if (files >= MOST_KEYS)
    throw new NotRerunnable(
      `There are ${count(files)} files below ${prefix}, and one rerun takes fewer than ${count(MOST_KEYS)}. Run them again by several longer --prefix.`,
    )
}

async function followTo(landfall: Deployed, input: RerunInput, begun: Begun, json = false): Promise<number> {
  const name = executionName(begun.rerun)
  const line = liveLine()
  const following = () =>
    followRerun(
      landfall,
      { dataset: input.dataset, ...begun },
      { onProgress: (progress) => line.show(progressWords(name, progress)), signal },
    )
  try {
    const { state, rows } = await quietly(following)
    line.end()
    if (json) print(JSON.stringify({ ...begun, state, rows }))
    else print(endedText(state, rows))
    return state.failures > 0 || state.listingFailed ? EXIT.refused : EXIT.done
  } catch (error) {
    line.end()
    if (signal.aborted)
      say(`The rerun ${name} goes on. See landfall rerun --list; the same command as before follows it again.`)
    else if (error instanceof RerunBroken && error.refused) throw new NotRerunnable(error.message)
    throw error
  }
}
