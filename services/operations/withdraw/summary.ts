import type { Retention } from '../versions.ts'
import { type Holdings, PLACES, type Place } from './holdings.ts'

/** One place of those that hold data, for people and programs. */
export type Holding = {
  place: Place
  bucket: string
  /** Keys, or prefixes that end in `/`. */
  where: string[]
  keys: number
  versions: number
  /** Of the versions, those that a reader still gets: no lifecycle of a versioned bucket takes them out. */
  current: number
  markers: number
  bytes: number
  goes: Retention
}

export function placesOf({ found, retention }: Pick<Holdings, 'found' | 'retention'>): Holding[] {
  return PLACES.flatMap((place) => {
    const here = found.filter((each) => each.place === place)
    const [first] = here
    if (!first) return []
    const all = here.flatMap(({ versions }) => versions)
    const versions = all.filter(({ marker }) => !marker)
    return {
      place,
      bucket: first.bucket,
      where: [...new Set(here.map(({ where }) => where))],
      keys: new Set(all.map(({ key }) => key)).size,
      versions: versions.length,
      current: versions.filter(({ current }) => current).length,
      markers: all.length - versions.length,
      bytes: versions.reduce((sum, { bytes }) => sum + bytes, 0),
      goes: retention[first.bucket] ?? {},
    }
  })
}
