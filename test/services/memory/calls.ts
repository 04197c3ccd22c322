import type { Wrap } from './world.ts'

/** One call that a stage makes. `make` makes it; whoever hears of it may do so or not, earlier or later. */
export type Call = { name: string; args: unknown[]; make: () => unknown }

/** Puts something between the stages and what they call. */
export const hearing =
  (hear: (call: Call) => unknown): Wrap =>
  (port) =>
    new Proxy(port, {
      get(target, name) {
        const method: unknown = Reflect.get(target, name)
        if (typeof method !== 'function') return method
        return (...args: unknown[]) =>
          hear({ name: String(name), args, make: () => Reflect.apply(method, target, args) as unknown })
      },
    })

/** Calls that are refused: `why` says with which error, where it says any. */
export const refusing = (why: (call: Call) => Error | undefined): Wrap =>
  hearing(async (call) => {
    const error = why(call)
    if (error) throw error
    return await call.make()
  })
