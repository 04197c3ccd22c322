import { registerHooks } from 'node:module'
import { MUTATIONS, type Mutation } from './mutations.ts'

/** The text with one safety off. @throws Error where the place is not there exactly once: then the table is out of date */
export function mutated(text: string, { name, file, from, to }: Mutation): string {
  const places = text.split(from).length - 1
  if (places !== 1)
    throw new Error(`"${name}" is in ${file} ${places} times: expected once. Correct it in mutations.ts.`)
  return text.replace(from, () => to)
}

/** From here on the file is loaded with the safety off. */
export function mutate(name: string): void {
  const mutation = MUTATIONS.find((each) => each.name === name)
  if (!mutation) throw new Error(`No mutation is called "${name}"`)
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context)
      if (!url.endsWith(`/${mutation.file}`)) return loaded
      return { ...loaded, source: mutated(String(loaded.source), mutation) }
    },
  })
}
