import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Template } from 'aws-cdk-lib/assertions'
import { build } from '../../infra/app.ts'
import { type Config, DATASETS, STAGES, type StageName } from '../../infra/config.ts'

export type Resource = { Type: string; Properties: Record<string, unknown>; DeletionPolicy?: string }

export interface Statement {
  Effect: 'Allow' | 'Deny'
  Action: string | string[]
  Resource: unknown
  Condition?: unknown
}

/** Folders with a few bytes for code: what the functions do is tested elsewhere. */
export function stubs(): Record<StageName, string> {
  const folder = mkdtempSync(join(tmpdir(), 'landfall-code-'))
  return Object.fromEntries(
    STAGES.map((stage) => {
      mkdirSync(join(folder, stage))
      writeFileSync(join(folder, stage, 'index.mjs'), `export const handler = () => '${stage}'\n`)
      return [stage, join(folder, stage)]
    }),
  ) as Record<StageName, string>
}

/** A folder with the contract of sales, of which some fields are others. */
export function datasetsWith(fields: object): string {
  const folder = join(mkdtempSync(join(tmpdir(), 'landfall-contracts-')), 'datasets')
  mkdirSync(folder)
  const contract = JSON.parse(readFileSync(join(DATASETS, 'sales.json'), 'utf8'))
  writeFileSync(join(folder, 'sales.json'), JSON.stringify({ ...contract, ...fields }))
  return folder
}

/** Both stacks' templates. CDK's own validation takes seconds and is a test of its own. */
export function templates(config: Config) {
  const built = build({ ...config, validateTemplates: false }, stubs())
  const [stateful, stateless] = [Template.fromStack(built.stateful), Template.fromStack(built.stateless)]
  return { ...built, templates: { stateful, stateless } }
}

export const resources = (template: Template, type?: string): [string, Resource][] =>
  Object.entries(template.toJSON().Resources as Record<string, Resource>).filter(
    ([, { Type }]) => type === undefined || Type === type,
  )

/** What CloudFormation will put there, as text: references as `<LogicalId>`, imports as `<Name>`. */
export function text(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  const [name, argument] = Object.entries(value)[0] ?? []
  if (name === 'Fn::Join') {
    const [separator, parts] = argument as [string, unknown[]]
    return parts.map(text).join(separator)
  }
  if (name === 'Ref') return `<${argument}>`
  if (name === 'Fn::GetAtt') return `<${(argument as string[]).join('.')}>`
  // LandfallStateful:ExportsOutputFnGetAttRaw72517081Arn8AABA17C -> <Raw>
  if (name === 'Fn::ImportValue')
    return `<${/(?:Ref|GetAtt)([A-Z][a-z]+)[0-9A-F]{8}/.exec(String(argument))?.[1] ?? argument}>`
  return JSON.stringify(value)
}

export const list = <T>(value: T | T[] | undefined): T[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value]

/** The inline statements of the role that a function, job or crawler runs as. */
export function statementsOf(template: Template, role: unknown): Statement[] {
  const id = text(role).replace(/^<|(\.Arn)?>$/g, '')
  return resources(template, 'AWS::IAM::Policy')
    .filter(([, { Properties }]) => list(Properties.Roles).map(text).includes(`<${id}>`))
    .flatMap(([, { Properties }]) => (Properties.PolicyDocument as { Statement: Statement[] }).Statement)
}

/** `s3:PutObject <Raw>/data/*`: each pair of an action and a resource that is allowed. */
export const allowed = (statements: Statement[]): string[] =>
  statements
    .filter(({ Effect }) => Effect === 'Allow')
    .flatMap(({ Action, Resource }) =>
      list(Action).flatMap((action) => list(Resource).map((on) => `${action} ${text(on)}`)),
    )

/** All that runs under a role of its own: functions by their stage's name, jobs (`Convert job`), crawlers, `Rerun`. */
export const runnersOf = (template: Template) =>
  ['AWS::Lambda::Function', 'AWS::Glue::Job', 'AWS::Glue::Crawler', 'AWS::StepFunctions::StateMachine'].flatMap(
    (type) =>
      resources(template, type).map(([id, { Properties }]) => {
        const role = Properties.Role ?? Properties.RoleArn
        return {
          name: id.replace(/(Function|GlueJob|Crawler|Machine)[0-9A-F]{8}$/, type === 'AWS::Glue::Job' ? ' job' : ''),
          role,
          statements: statementsOf(template, role),
        }
      }),
  )

/** `<Raw>/data/` for each place where a runner may do this. */
export const placesOf = (runners: ReturnType<typeof runnersOf>) => (name: string, action: string) =>
  allowed(runners.find((runner) => runner.name === name)?.statements ?? [])
    .filter((right) => right.startsWith(`${action} `))
    .map((right) => right.slice(action.length + 1).replace(/\*$/, ''))
    .sort()
