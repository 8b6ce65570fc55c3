import { join } from 'node:path'
import type { Loader } from './loader.ts'
import { startServer, type Server, type ServerKind, type ServerSettings } from './server.ts'
import { untilIdle } from './settle.ts'

/** What every part of the benchmark works with. */
export interface Run {
  readonly kinds: readonly ServerKind[]
  readonly loader: Loader
  readonly rounds: number
  /** Rows of one ingest round. */
  readonly rows: number
  readonly folder: string
  readonly memoryLimitBytes: number | null
  say(line: string): void
}

export const linesPerBatch = 5_000
export const hosts = 100

/** Starts every server anew, hands them over, and removes them and their data whatever happens. */
export async function withServers<T>(
  run: Run,
  use: (servers: Server[]) => Promise<T>,
  settings: Partial<ServerSettings> = {},
): Promise<T> {
  const servers: Server[] = []
  try {
    for (const kind of run.kinds)
      servers.push(
        await startServer(kind, join(run.folder, kind.name), {
          memoryLimitBytes: run.memoryLimitBytes,
          eagerCompaction: false,
          ...settings,
        }),
      )
    return await use(servers)
  } finally {
    for (const server of servers) {
      const kills = await server.group.memoryKills()
      if (run.memoryLimitBytes !== null || (kills ?? 0) > 0)
        run.say(`${server.kind.title}: ${kills ?? 'nobody counts the'} processes killed for want of memory`)
      if (!server.alive()) run.say(`${server.kind.title} had ended: ${await server.lastWords()}`)
      await server.dispose()
    }
  }
}

/** What one server still does in the background is not to be measured as another's slowness. */
export const settled = (servers: readonly Server[], limitMs = 15_000): Promise<void> =>
  untilIdle(
    servers.map((server) => () => server.group.cpuSeconds(server.pid)),
    limitMs,
  )

export const writePath = (database: string): string => `/write?db=${database}`
