import { createServer } from 'node:net'

/** Why no one can listen on a port, in words to go on with; undefined when it is free at this moment. */
export async function whyNot(port: number): Promise<string | undefined> {
  const { code } = await bind(port)
  if (code === undefined) return undefined
  return code === 'EACCES' ? 'is not for this user to listen on' : 'is taken. Stop what listens there'
}

/** A port that is free at this moment: whoever wants it must be ready to find it taken. */
export async function freePort(): Promise<number> {
  const { port } = await bind(0)
  if (port === undefined) throw new Error('No free port on 127.0.0.1.')
  return port
}

/** Binds and lets go again. */
function bind(port: number): Promise<{ port?: number; code?: string }> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', ({ code = 'unknown' }: NodeJS.ErrnoException) => resolve({ code }))
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve({ port: typeof address === 'object' ? address?.port : undefined }))
    })
  })
}
