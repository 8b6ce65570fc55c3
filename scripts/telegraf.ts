import { join } from 'node:path'
import { cached } from './cache.ts'
import { run } from './run.ts'

const version = 'v1.37.2'
const module = 'github.com/influxdata/telegraf'
const tags = [
  'custom',
  ...['cpu', 'mem', 'disk', 'net', 'system'].map((name) => `inputs.${name}`),
  ...['influxdb', 'influxdb_v2', 'file'].map((name) => `outputs.${name}`),
  'serializers.influx',
]

/** Telegraf asks for a newer Go than ours, which Go fetches by itself unless the distribution told it not to. */
const env = { CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false', GOTOOLCHAIN: 'auto' }

/**
 * A real Telegraf agent, built from its Go module with the plugins that the tests use. It is built inside a copy of the
 * module, since as a dependency of another module one of its plugins fails its checksum.
 * @returns path of the statically linked program
 */
export async function ensureTelegraf(): Promise<string> {
  const folder = await cached('telegraf', [version, tags.join(), process.arch], async (output) => {
    const download = await run('go', ['mod', 'download', '-json', `${module}@${version}`], { env })
    const { Dir: source } = JSON.parse(download) as { Dir: string }
    const copy = join(output, 'source')
    await run('cp', ['-r', source, copy])
    await run('chmod', ['-R', 'u+w', copy])
    await run(
      'go',
      [
        'build',
        '-trimpath',
        '-tags',
        tags.join(),
        '-ldflags',
        `-s -w -X ${module}/internal.Version=${version.slice(1)}`,
        '-o',
        join(output, 'telegraf'),
        './cmd/telegraf',
      ],
      {
        cwd: copy,
        env,
      },
    )
    await run('rm', ['-rf', copy])
  })
  return join(folder, 'telegraf')
}
