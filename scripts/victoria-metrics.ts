import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../common/errors.ts'
import { cached } from './cache.ts'
import { run, tryRun } from './run.ts'
import { aptGet } from './system-packages.ts'

export interface VictoriaMetrics {
  readonly path: string
  /** As the package calls it: 1.79.5+ds1-2+b5. */
  readonly version: string
}

/**
 * VictoriaMetrics out of the distribution's package, which is taken apart rather than installed: installing it would
 * start a server.
 * @throws AppError ERR_VICTORIA_METRICS where there is no apt or the distribution has no such package
 */
export async function ensureVictoriaMetrics(): Promise<VictoriaMetrics> {
  const version = await candidate()
  const folder = await cached('victoria-metrics', [version, process.arch], async (output) => {
    const parts = join(output, 'parts')
    await mkdir(parts)
    await aptGet(['download', `victoria-metrics=${version}`], { cwd: parts })
    const [file] = (await readdir(parts)).filter((name) => name.endsWith('.deb'))
    await run('dpkg-deb', ['--extract', join(parts, file!), parts])
    await rename(join(parts, 'usr/bin/victoria-metrics'), join(output, 'victoria-metrics'))
    await writeFile(join(output, 'version'), version)
    await rm(parts, { recursive: true })
  })
  return { path: join(folder, 'victoria-metrics'), version }
}

async function candidate(): Promise<string> {
  for (const attempt of ['known', 'updated'] as const) {
    if (attempt === 'updated') await aptGet(['update', '--quiet'], { progress: 'looking for packages' })
    const policy = await tryRun('apt-cache', ['policy', 'victoria-metrics'])
    const version = /Candidate: (\S+)/.exec(policy ?? '')?.[1]
    if (version !== undefined && version !== '(none)') return version
  }
  const message = 'this machine knows no package victoria-metrics; Debian and Ubuntu have one'
  throw new AppError('unavailable', 'ERR_VICTORIA_METRICS', message)
}
