import type { Item } from '../../../services/ledger/table.ts'

export type Words = { names?: Record<string, string>; values?: Record<string, unknown> }

const invalid = (message: string) =>
  Object.assign(new Error(`ValidationException: ${message}`), { name: 'ValidationException' })

function nameIn({ names = {} }: Words, tag: string): string {
  const name = names[tag]
  if (name === undefined) throw invalid(`nothing is named ${tag}`)
  return name
}

function valueIn({ values = {} }: Words, tag: string): unknown {
  if (!(tag in values)) throw invalid(`no value is given for ${tag}`)
  return values[tag]
}

/** One clause: a function of an attribute, or a comparison. Values of two types are neither equal nor ordered. */
function clauseHolds(clause: string, words: Words, item: Item | undefined): boolean {
  const [, call, of = ''] = /^attribute_(not_exists|exists)\((#\w+)\)$/.exec(clause) ?? []
  if (call) return (item?.[nameIn(words, of)] === undefined) === (call === 'not_exists')
  const [, left = '', sign, right = ''] = /^(#\w+) (=|<) (:\w+)$/.exec(clause) ?? []
  if (!sign) throw invalid(`the memory DynamoDB cannot read the condition "${clause}"`)
  const found = item?.[nameIn(words, left)] as string | number | undefined
  const to = valueIn(words, right) as string | number
  if (found === undefined || typeof found !== typeof to) return false
  return sign === '=' ? found === to : found < to
}

/** A condition expression: clauses joined by AND, of which one may be two in brackets joined by OR. */
export function applies(expression: string | undefined, words: Words, item: Item | undefined): boolean {
  if (expression === undefined) return true
  return expression.split(' AND ').every((part) =>
    part
      .replace(/^\((.*)\)$/, '$1')
      .split(' OR ')
      .some((clause) => clauseHolds(clause, words, item)),
  )
}

/** An update expression of SET, ADD and REMOVE. */
export function updated(expression: string, words: Words, item: Item): Item {
  const sections = [...expression.matchAll(/(SET|ADD|REMOVE) (.*?)(?= (?:SET|ADD|REMOVE) |$)/g)]
  const actions = sections.flatMap(([, word = '', list = '']) => list.split(', ').map((action) => ({ word, action })))
  if (actions.length === 0) throw invalid('the update expression is empty')
  const touched = actions.map(({ action }) => nameIn(words, /^#\w+/.exec(action)?.[0] ?? action))
  if (new Set(touched).size < touched.length) throw invalid('two paths overlap')
  if (touched.includes('pk') || touched.includes('sk')) throw invalid('a key cannot change')
  const next: Item = { ...item }
  for (const [i, { word, action }] of actions.entries()) {
    const name = touched[i] as string
    const tag = /:\w+$/.exec(action)?.[0] ?? ''
    if (word === 'REMOVE') delete next[name]
    else if (word === 'SET') next[name] = valueIn(words, tag)
    else next[name] = Number(next[name] ?? 0) + Number(valueIn(words, tag))
  }
  return next
}
