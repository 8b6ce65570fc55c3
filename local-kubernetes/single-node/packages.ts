import { AppError } from '../../common/errors.ts'
import { run, tryRun, type Progress } from '../../scripts/run.ts'
import { findProgram } from '../programs.ts'

/** What runs containers and sets up their network, from the distribution. */
const PACKAGES = [
  'busybox-static',
  'containerd',
  'containernetworking-plugins',
  'iproute2',
  'nftables',
  'runc',
] as const

/** Where the packages put it: not by `PATH`, in which our own link of that name may come first. */
export const CONTAINERD = '/usr/bin/containerd'
export const CNI_PLUGINS = '/usr/lib/cni'

/**
 * Installs the packages that are missing.
 *
 * @throws AppError ERR_CLUSTER_PACKAGES where there is no apt, or not the rights to use it
 */
export async function ensurePackages(progress: Progress): Promise<void> {
  const missing = await missingPackages()
  if (missing.length === 0) return
  if (findProgram('apt-get') === undefined) {
    throw new AppError(
      'unavailable',
      'ERR_CLUSTER_PACKAGES',
      `a Kubernetes of our own needs a Debian with ${missing.join(', ')}; elsewhere use CLUSTER=kind or CLUSTER=current`,
    )
  }
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  await run('apt-get', ['update', '--quiet'], { env, progress: 'looking for packages', report: progress })
  await run('apt-get', ['install', '--quiet', '--yes', '--no-install-recommends', ...missing], {
    env,
    progress: `installing ${missing.join(', ')}`,
    report: progress,
  })
}

async function missingPackages(): Promise<string[]> {
  const format = '${Package} ${Status}\n'
  const known = await tryRun('sh', [
    '-c',
    `dpkg-query --show --showformat='${format}' "$@" 2>/dev/null || true`,
    'sh',
    ...PACKAGES,
  ])
  const installed = new Set(
    (known ?? '')
      .split('\n')
      .filter((line) => line.endsWith('install ok installed'))
      .map((line) => line.split(' ', 1)[0]),
  )
  return PACKAGES.filter((name) => !installed.has(name))
}
