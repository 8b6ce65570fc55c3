import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { version } from '../../common/version.ts'
import { ensureDuckdbExtension } from '../../scripts/duckdb-extension.ts'
import { bundleProgram } from '../../scripts/image-programs.ts'
import { freePort, type ServerKind } from './server.ts'
import { untilStable } from './settle.ts'

const root = join(import.meta.dirname, '../..')

/** Our storage node, bundled as its image holds it. @param folder where the programs go */
export async function holdfast(folder: string): Promise<ServerKind> {
  const program = join(folder, 'storage-node.js')
  const queryProcess = join(folder, 'query-process.js')
  await mkdir(folder, { recursive: true })
  for (const [path, source] of [
    [program, 'storage-node/main.ts'],
    [queryProcess, 'storage-node/query-process/main.ts'],
  ] as const)
    await writeFile(path, (await bundleProgram({ name: 'bench', source, bans: [] })).code)
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  const extension = await ensureDuckdbExtension()
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
        program: process.execPath,
        args: [
          program,
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
          HOLDFAST_DUCKDB_EXTENSION: extension,
          HOLDFAST_QUERY_PROCESS: queryProcess,
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
