import { join } from 'node:path'
import { ensureVictoriaMetrics } from '../../scripts/victoria-metrics.ts'
import type { ServerKind } from './server.ts'
import { untilStable } from './settle.ts'

export async function victoriametrics(): Promise<ServerKind> {
  const { path, version } = await ensureVictoriaMetrics()
  return {
    name: 'victoriametrics',
    title: 'VictoriaMetrics',
    version: version.replace(/\+.*/, ''),
    durability: 'its defaults: no authentication, no encryption, no log; answers before anything is on disk',
    readyPath: '/health',
    createsDatabases: false,
    dataFolder: 'data',
    logFolder: null,
    reserve: null,
    command: async (folder, port) => ({
      program: path,
      args: [
        `-storageDataPath=${join(folder, 'data')}`,
        `-httpListenAddr=127.0.0.1:${port}`,
        '-retentionPeriod=100y',
        '-loggerLevel=ERROR',
        '-search.latencyOffset=0s',
        '-search.maxQueryDuration=120s',
      ],
    }),
    headers: async () => ({}),
    async compact(server) {
      await server.send('GET', '/internal/force_flush')
      await server.send('GET', '/internal/force_merge')
      await untilStable(() => server.diskBytes(), { quietMs: 8_000, limitMs: 90_000 })
      return server
    },
  }
}
