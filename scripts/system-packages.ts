import { join } from 'node:path'
import { AppError } from '../common/errors.ts'
import { cacheFolder } from './cache.ts'
import { withLock } from './lock.ts'
import { run, tryRun, type Progress, type RunOptions } from './run.ts'

/** Programs of the distribution that scripts call: a call that shows one is there, and the packages it comes in. */
const programs = {
  pip: { shows: ['python3', '-m', 'pip', '--version'], packages: ['python3', 'python3-pip'] },
  git: { shows: ['git', '--version'], packages: ['git'] },
  curl: { shows: ['curl', '--version'], packages: ['curl'] },
  openssl: { shows: ['openssl', 'version'], packages: ['openssl'] },
  ip: { shows: ['ip', '-Version'], packages: ['iproute2'] },
} as const satisfies Readonly<Record<string, { shows: readonly string[]; packages: readonly string[] }>>

export type SystemProgram = keyof typeof programs

/**
 * Installs the programs that are missing.
 * @throws AppError ERR_SYSTEM_PACKAGES where there is no apt, or not the rights to use it: the message says what to
 * install by hand
 */
export async function ensurePrograms(names: readonly SystemProgram[], progress?: Progress): Promise<void> {
  const missing: string[] = []
  for (const name of names) {
    const [command, ...args] = programs[name].shows
    if ((await tryRun(command, args)) === undefined) missing.push(...programs[name].packages)
  }
  await install(missing, progress)
}

/**
 * Installs the packages that dpkg does not know as installed.
 * @throws AppError ERR_SYSTEM_PACKAGES as `ensurePrograms`
 */
export async function ensurePackages(names: readonly string[], progress?: Progress): Promise<void> {
  const args = ['--show', '--showformat', '${Package} ${Status}\n', ...names]
  // dpkg-query fails for a name that it has never heard of, and yet answers for all others.
  const known = (await tryRun('sh', ['-c', 'dpkg-query "$@" || true', 'sh', ...args])) ?? ''
  await install(missingPackages(names, known), progress)
}

/** @param known lines of `<package> <want> <error> <status>`, as dpkg-query writes them */
export function missingPackages(names: readonly string[], known: string): readonly string[] {
  const installed = known.split('\n').filter((line) => line.endsWith(' ok installed'))
  return names.filter((name) => !installed.some((line) => line.startsWith(`${name} `)))
}

/** One call at a time: apt refuses to run beside itself. */
export function aptGet(args: readonly string[], options: RunOptions = {}): Promise<string> {
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  return withLock(join(cacheFolder(), 'apt.lock'), () => run('apt-get', args, { ...options, env }))
}

async function install(packages: readonly string[], progress?: Progress): Promise<void> {
  if (packages.length === 0) return
  const list = packages.join(' ')
  if (process.getuid?.() !== 0 || (await tryRun('apt-get', ['--version'])) === undefined)
    throw new AppError(
      'unavailable',
      'ERR_SYSTEM_PACKAGES',
      `missing on this machine: install what Debian and Ubuntu call ${list}; as root on one of them this is done for you`,
    )
  const told = (line: string): RunOptions =>
    progress ? { progress: line, report: progress } : { progress: line }
  await aptGet(['update', '--quiet'], told('looking for packages'))
  const options = ['--quiet', '--yes', '--no-install-recommends', '--option', 'DPkg::Lock::Timeout=300']
  await aptGet(['install', ...options, ...packages], told(`installing ${list}`))
}
