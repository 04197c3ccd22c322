import { registerHooks } from 'node:module'
import { type Mutation, mutationOf } from './mutations.ts'

/** The text with one safety off. @throws Error where the place is not there exactly once: then the table is out of date */
export function mutated(text: string, { name, file, from, to }: Mutation): string {
  const places = text.split(from).length - 1
  if (places !== 1)
    throw new Error(`"${name}" is in ${file} ${places} times: expected once. Correct it in test/simulation/safeties.`)
  return text.replace(from, () => to)
}

/** From here on these safeties are off in whatever is loaded. */
export function mutate(names: string[]): void {
  const off = names.map(mutationOf)
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context)
      const here = off.filter(({ file }) => url.endsWith(`/${file}`))
      return here.length === 0 ? loaded : { ...loaded, source: here.reduce(mutated, String(loaded.source)) }
    },
  })
}
