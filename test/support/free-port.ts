import { createServer } from 'node:net'

/** A port of loopback that nobody has: the first from `from` on, which must not be one of those that connections are given. */
export async function freePort(from: number): Promise<number> {
  for (let port = from; ; port += 1) {
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!isFree) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
}
