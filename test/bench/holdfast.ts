import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { version } from '../../common/version.ts'
import { imageForm } from '../support/image-form.ts'
import { freePort, type ServerKind } from './server.ts'
import { untilStable } from './settle.ts'

/** Our storage node, bundled and started as its image starts it. @param folder where the programs go */
export async function holdfast(folder: string): Promise<ServerKind> {
  const { command, environment } = await imageForm('storage-node', folder)
  const [program, ...args] = command
  return {
    name: 'holdfast',
    title: 'Holdfast',
    version,
    durability: 'token checked, encrypted, fsync before the answer',
    readyPath: '/ready',
    createsDatabases: true,
    dataFolder: 'data',
    logFolder: 'data/engine/log',
    reserve: 'ballast',
    command: async (data, port, settings) => {
      const limit = settings.memoryLimitBytes
      const metricsPort = await freePort()
      return {
        program: program!,
        args: [
          ...args,
          '--data',
          join(data, 'data'),
          '--listen',
          `127.0.0.1:${port}`,
          '--metrics-listen',
          `127.0.0.1:${metricsPort}`,
          '--log-level',
          'warn',
        ],
        metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`,
        env: {
          ...environment,
          ...(limit === null ? {} : { HOLDFAST_MEMORY_LIMIT_BYTES: String(limit) }),
        },
      }
    },
    headers: async (data) => ({
      authorization: `Token ${(await readFile(join(data, 'data/admin-token'), 'utf8')).trim()}`,
    }),
    // A clean stop puts everything into files; then two rounds of upkeep without a change.
    async compact(server) {
      const again = await server.restart('SIGTERM')
      await untilStable(() => again.diskBytes(), { quietMs: 12_000, limitMs: 90_000 })
      return again
    },
  }
}
