import { Tracer } from '@aws-lambda-powertools/tracer'

/** Of the functions' own traces. It is off outside of Lambda, and where `POWERTOOLS_TRACE_ENABLED` says so. */
export const tracer = new Tracer()

/**
 * Steps and calls of one invocation that its trace has. X-Ray takes 500 KB of a trace and refuses the rest: the settling of
 * hundreds of files has thousands of calls, which would cost more than they show.
 */
const MOST_SHOWN = 200
let shown = 0
export const newInvocation = (): void => {
  shown = 0
}
const isShown = (): boolean => tracer.isTracingEnabled() && shown++ < MOST_SHOWN

/** Its calls are subsegments of the step that makes them. */
export const traced = <T>(client: T): T => tracer.captureAWSv3Client(client)

/** A client of whose calls the first of an invocation are traced. @param make gives one that is traced, or one that is not */
export function tracedAtFirst<T extends object>(make: (isTraced: boolean) => T): T {
  const [all, none] = [make(true), make(false)]
  return new Proxy(all, {
    get(_, name) {
      const target = name !== 'send' || isShown() ? all : none
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/**
 * A step of an invocation, as a subsegment of its own. X-Ray finds up to 50 annotations of a trace.
 * @param about what it is known by, or how to tell when it has been done
 */
export async function step<T>(
  name: string,
  work: () => Promise<T>,
  about: Record<string, string | number> | (() => Record<string, string | number>) = {},
): Promise<T> {
  if (!isShown()) return await work()
  const done = tracer.provider.captureAsyncFunc(name, async (subsegment) => {
    try {
      return await work()
    } catch (error) {
      subsegment?.addError(error as Error)
      throw error
    } finally {
      for (const [key, value] of Object.entries(typeof about === 'function' ? about() : about))
        subsegment?.addAnnotation(key, value)
      subsegment?.close()
    }
  })
  return (await done) as T
}
