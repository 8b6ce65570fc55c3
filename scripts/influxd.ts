import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from './cache.ts'
import { run } from './run.ts'

export const influxdVersion = '1.8.10'
const module = 'github.com/influxdata/influxdb'

/** The release's own is of 2020 and does not link with a Go of today. */
const sysVersion = 'v0.49.0'
const env = { CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false -mod=mod' }

/**
 * A real InfluxDB 1.8 server, built from its Go module: the peer of the benchmarks.
 * @returns path of the statically linked program
 */
export async function ensureInfluxd(): Promise<string> {
  const inputs = [influxdVersion, sysVersion, process.arch]
  const folder = await cached('influxd', inputs, async (output) => {
    const go = (...args: readonly string[]) => run('go', args, { cwd: output, env })
    const program = `${module}/cmd/influxd`
    await go('mod', 'init', 'holdfast.dev/influxd')
    await go('get', `${program}@v${influxdVersion}`, `golang.org/x/sys@${sysVersion}`)
    const flags = ['-trimpath', '-ldflags', `-s -w -X main.version=${influxdVersion}`]
    await go('build', ...flags, '-o', join(output, 'influxd'), program)
    for (const name of ['go.mod', 'go.sum']) await rm(join(output, name))
  })
  return join(folder, 'influxd')
}
