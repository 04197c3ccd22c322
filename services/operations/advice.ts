import type { Problem, Run } from '../ledger/run.ts'

const ZIP_AGAIN = 'Make the zip again from its files and land it under the same key.'
const REDRIVE = 'landfall redrive sends it back'
const NOT_STARTED =
  "Glue refuses to start the job, mostly for a right that its stage's role lacks: its message names it. Deploy the right: it is tried again each minute, and needs no landing; landfall redrive tries it at once."
const LOGS = "Read the job run's log, mend the cause, and land the file again; nothing of this version was published."

/**
 * What to do about a run that was refused, failed or superseded, by the code of its problem. The problem's own words say what
 * is wrong with this one; this is the only place that says what one does about its kind.
 */
export const ADVICE: Record<string, string> = {
  superseded: 'Nothing: a newer version of the same key took its place. Look at that one.',
  withdrawn: 'Nothing, if it is to stay out. Land it again, if its rows are wanted after all.',
  moved: 'Nothing: its rows are those of the key that it was moved to.',
  other_version:
    'Run `landfall rerun` for its dataset when the new version of the contract is deployed: it types the file again.',
  same_content:
    'Nothing, if it was sent twice. If this is the right name, withdraw the other one first (`landfall withdraw`) and land this again.',
  gone: 'It was deleted before it was read. Land it again, if its rows are wanted.',
  unknown_dataset: 'Land it in the folder of a dataset that has a contract, or add the contract and deploy it.',
  not_a_csv: 'Rename it to end in .csv or .csv.gz and land it again. What is no CSV belongs elsewhere.',

  header_mismatch: 'Correct the header or the delimiter and land it under the same key, or change the contract.',
  empty_file: 'Ask whoever wrote it: a file without rows still has a header line. Land it again.',
  wrong_encoding:
    "Save it as UTF-8 (iconv -f … -t UTF-8) and land it under the same key, or let the contract's source.encoding name its own.",
  corrupt_gzip: 'Its upload or its packing was cut off. Pack it again (gzip -t tells) and land it under the same key.',
  too_large: "Split it into several files, or raise the contract's limits.maxBytes.",
  too_many_rejects: 'Mend the rows and land the whole file under the same key, or change the contract.',

  not_a_zip: 'Land a real zip in landing/, or the CSV itself in data/.',
  truncated_zip: 'Its upload was cut off. Upload it again, whole.',
  directory_mismatch: ZIP_AGAIN,
  unlisted_data:
    'Make the zip again from its files, in one go: something was put before, between or behind its members, or was taken out of its directory alone.',
  overlapping_members: 'Ask where it comes from: only a zip bomb has such. If it is none, make the zip again.',
  headers_disagree: `Something has changed it since it was made. ${ZIP_AGAIN}`,
  corrupt_member: ZIP_AGAIN,
  multi_disk_zip: 'Join the pieces to one zip and land that.',
  crc_mismatch: ZIP_AGAIN,
  size_mismatch: ZIP_AGAIN,
  encrypted_member: 'Land it without a password: the buckets encrypt.',
  unsupported_compression: 'Zip it again with deflate, the default of every tool.',
  unsafe_name: 'Rename the member and land the zip again. Ask where such a name comes from.',
  name_collision: 'Rename all but one of the members and land the zip again.',
  folder_with_data: 'Rename the member so that it does not end with a slash, and land the zip again.',
  too_many_members: "Split the zip, or raise the contract's limits.maxMembers.",
  too_long: 'Split it into several zips, or land its CSVs themselves in data/, where no function has to write them.',
  ratio_too_high: "Ask whether it is a zip bomb. If it is not, raise the contract's limits.maxRatio.",
  no_csv_member: 'Put the CSVs into the zip, with names that end in .csv.',

  not_taken_in: `Mend the cause that its message names. Its event is among the dead letters of its stage for 14 days: ${REDRIVE}. After that, land it again, or run it again with --only failed.`,
  unzip_failed: `Mend the cause that the logs name. Its event is among the dead letters of unzip for 14 days: ${REDRIVE}. After that, land it again, or run it again with --only failed.`,
  convert_job_failed: LOGS,
  partition_job_failed: LOGS,
  rerun_lost: `Its event was lost on its way, or died: look with landfall redrive, or start the rerun again.`,
  rerun_name_used: 'Start the rerun again under a name that was never used, as landfall rerun does by itself.',
  convert_not_started: NOT_STARTED,
  partition_not_started: NOT_STARTED,
  convert_not_published: LOGS,
  partition_not_published: LOGS,
  partition_unfinished:
    'Mend the cause that its message names: it is tried again each hour by itself. Landing the file again puts all of it in its place at once.',
  glue_refused:
    "The job could not be started, mostly for a right that its stage's role lacks: its message names it. Deploy the right, and land the file again.",
  catalog_refused:
    "The crawler or the table was refused, mostly for a right that catalog's role lacks: the rows are in the delivery zone, and cannot be asked for. Deploy the right, and land the file again.",
  imbalance:
    'The books do not balance, which no input may cause: keep the file and report it as a bug. The rows that were in the table before are still there.',
  object_changed:
    'An object that was to be published was changed or removed by someone else. Find out who writes to these buckets, and land the file again.',
}

/** Commands that say more, where the file has landed. */
const MORE: Record<string, string> = {
  header_mismatch: 'landfall check FILE says which change of the contract would take it.',
  too_many_rejects:
    'landfall rejects RUN shows the rows; landfall check FILE says which change of the contract would take them.',
}

const OTHERWISE = 'Mend what it says, and land the file again.'

export const adviceOn = (code: Problem['code']): string => ADVICE[code] ?? OTHERWISE

/** For a run that has landed. @returns undefined where it has no problem */
export function adviceFor({ problem, runId }: Pick<Run, 'problem' | 'runId'>): string | undefined {
  if (!problem) return undefined
  const more = MORE[problem.code]?.replace('RUN', runId.slice(0, 8))
  return more ? `${adviceOn(problem.code)} ${more}` : adviceOn(problem.code)
}
