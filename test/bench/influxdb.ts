import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ensureInfluxd, influxdVersion } from '../../scripts/influxd.ts'
import { freePort, type ServerKind } from './server.ts'
import { untilStable } from './settle.ts'

/** The defaults of the release; limits on series off, and where eager, files are merged whenever writes pause. */
function configuration(folder: string, port: number, backupPort: number, eager: boolean): string {
  return `reporting-disabled = true
bind-address = "127.0.0.1:${backupPort}"
[meta]
  dir = "${folder}/meta"
[data]
  dir = "${folder}/data"
  wal-dir = "${folder}/data/wal"
  max-series-per-database = 0
  max-values-per-tag = 0
  query-log-enabled = false
${eager ? '  cache-snapshot-write-cold-duration = "1s"\n  compact-full-write-cold-duration = "1s"' : ''}
[http]
  bind-address = "127.0.0.1:${port}"
  log-enabled = false
[monitor]
  store-enabled = false
[logging]
  level = "error"
`
}

export async function influxdb(): Promise<ServerKind> {
  const program = await ensureInfluxd()
  return {
    name: 'influxdb',
    title: 'InfluxDB',
    version: influxdVersion,
    durability: 'its defaults: no authentication, no encryption, fsync before the answer',
    readyPath: '/ping',
    createsDatabases: true,
    dataFolder: 'data',
    logFolder: 'data/wal',
    reserve: null,
    command: async (folder, port, settings) => {
      const path = join(folder, 'influxd.conf')
      await writeFile(path, configuration(folder, port, await freePort(), settings.eagerCompaction))
      return { program, args: ['run', '-config', path] }
    },
    headers: async () => ({}),
    async compact(server) {
      const eager = { memoryLimitBytes: null, eagerCompaction: true }
      const again = await server.restart('SIGTERM', eager)
      await untilStable(() => again.diskBytes(), { quietMs: 12_000, limitMs: 90_000 })
      return again
    },
  }
}
