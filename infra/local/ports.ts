import { createServer } from 'node:net'

export const isFree = (port: number) => bindable(port).then((bound) => bound !== undefined)

/** A port that is free at this moment: whoever wants it must be ready to find it taken. */
export async function freePort(): Promise<number> {
  const port = await bindable(0)
  if (port === undefined) throw new Error('No free port on 127.0.0.1.')
  return port
}

/** Binds and lets go again; the port, or undefined when it is taken. */
function bindable(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? address?.port : undefined))
    })
  })
}
