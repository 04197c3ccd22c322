import { Tracer } from '@aws-lambda-powertools/tracer'

/** Of the functions' own traces. It is off outside of Lambda, and where `POWERTOOLS_TRACE_ENABLED` says so. */
export const tracer = new Tracer()

/** Its calls are subsegments of the step that makes them. */
export const traced = <T>(client: T): T => tracer.captureAWSv3Client(client)

/**
 * A step of an invocation, as a subsegment of its own. X-Ray finds up to 50 annotations of a trace.
 * @param about what it is known by, or how to tell when it has been done
 */
export async function step<T>(
  name: string,
  work: () => Promise<T>,
  about: Record<string, string | number> | (() => Record<string, string | number>) = {},
): Promise<T> {
  if (!tracer.isTracingEnabled()) return await work()
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
