import { readFile, readdir, readlink, rm, rmdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../../common/errors.ts'
import { processIdentity } from '../../scripts/process-identity.ts'
import { tryRun } from '../../scripts/run.ts'
import { componentPrograms } from './components.ts'
import { CGROUP, DATA, paths, RUN } from './layout.ts'
import { cgroupFolders } from './cgroups.ts'
import { endProcess, startedComponents, stopComponent } from './process.ts'

const SHIM_SOCKETS = '/run/containerd/s'
const DEVICE_PLUGINS = '/var/lib/kubelet/device-plugins'
const CNI_RESULTS = '/var/lib/cni/results'
const POD_LOG_LINKS = '/var/log/containers'
const MAX_UNMOUNT_ROUNDS = 20
const MAX_KILL_ROUNDS = 20
const MAX_RMDIR_ATTEMPTS = 40

/**
 * Ends every process of the cluster, pods and all, and takes away what they would leave behind: mounts, network
 * namespaces, cgroups, sockets. What lies in our folders stays.
 */
export async function endEverything(): Promise<void> {
  // The kubelet first, or it would start again what is being ended.
  await stopComponent('kubelet')
  await Promise.all((await startedComponents()).filter((name) => name !== 'containerd').map(stopComponent))
  await killPods()
  const shims = (await processes()).filter(isOurShim)
  await Promise.all(shims.map(({ identity }) => endProcess(identity, ['SIGKILL'])))
  await stopComponent('containerd')
  await Promise.all((await processes()).filter(isStray).map(({ identity }) => endProcess(identity)))
  await removeShimSockets()
  await unmountAll()
  await removeCgroups()
  await removeCniResults()
  await removePodLogLinks()
  await removeDevicePluginFiles()
}

interface RunningProcess {
  readonly identity: string
  readonly args: readonly string[]
}

async function processes(): Promise<RunningProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async (pid): Promise<RunningProcess[]> => {
      try {
        const identity = processIdentity(Number(pid))
        const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0')
        return identity === undefined ? [] : [{ identity, args }]
      } catch {
        // It ended in between.
        return []
      }
    }),
  )
  return found.flat()
}

/** The process that holds one pod: known by the socket of our own containerd, whatever became of that. */
function isOurShim({ args }: RunningProcess): boolean {
  return basename(args[0] ?? '') === 'containerd-shim-runc-v2' && args.includes(paths.containerdSocket)
}

/** A component whose pid file is gone: all are started by their link in our folder. */
function isStray(process: RunningProcess): boolean {
  return componentPrograms.includes(process.args[0] ?? '') || isOurShim(process)
}

/**
 * Kills all that runs in our cgroups: the processes of every pod, those too whose shim is dead and which nothing else
 * would find. Some may fork while others are killed, hence the rounds.
 */
async function killPods(): Promise<void> {
  for (let round = 0; round < MAX_KILL_ROUNDS; round += 1) {
    const pids = new Set((await Promise.all((await cgroupFolders()).map(pidsWithin))).flat())
    if (pids.size === 0) return
    const identities = [...pids].map(processIdentity).filter((identity) => identity !== undefined)
    await Promise.all(identities.map((identity) => endProcess(identity, ['SIGKILL'])))
  }
  throw new AppError('internal', 'ERR_CLUSTER_PODS', `the processes in the cgroup ${CGROUP} do not end`)
}

/** The processes of a cgroup and of all within it. */
async function pidsWithin(folder: string): Promise<number[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const within = entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => pidsWithin(join(folder, name)))
  const own = await readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => '')
  return [...own.split('\n').filter(Boolean).map(Number), ...(await Promise.all(within)).flat()]
}

/** Shims listen in a place that is the same for every containerd: what goes is what nobody listens on. */
async function removeShimSockets(): Promise<void> {
  const listening = await readFile('/proc/net/unix', 'utf8')
  for (const name of await readdir(SHIM_SOCKETS).catch(() => [])) {
    const path = join(SHIM_SOCKETS, name)
    if (!listening.includes(path)) await rm(path, { force: true })
  }
}

/** The mount points under any of the folders, innermost first, from the text of proc_pid_mountinfo(5). */
export function mountsUnder(mountInfo: string, folders: readonly string[]): string[] {
  return mountInfo
    .split('\n')
    .map((line) => line.split(' ')[4])
    .filter((path) => path !== undefined)
    .map((path) =>
      path.replaceAll(/\\([0-7]{3})/g, (_, code: string) => String.fromCodePoint(Number.parseInt(code, 8))),
    )
    .filter((path) => folders.some((folder) => path.startsWith(`${folder}/`)))
    .toReversed()
}

async function unmountAll(): Promise<void> {
  for (let round = 0; round < MAX_UNMOUNT_ROUNDS; round += 1) {
    const mounts = mountsUnder(await readFile('/proc/self/mountinfo', 'utf8'), [RUN, DATA])
    if (mounts.length === 0) return
    // Detached rather than waited for: all who used it were ended, and what still does is on its way out.
    const lazily = round > 2 ? ['--lazy'] : []
    for (const path of mounts) await tryRun('umount', [...lazily, path])
    if (round > 0) await sleep(50)
  }
  throw new AppError(
    'internal',
    'ERR_CLUSTER_MOUNTS',
    `not everything under ${RUN} and ${DATA} can be unmounted`,
  )
}

async function removeCgroups(): Promise<void> {
  for (const folder of await cgroupFolders()) await removeCgroup(folder)
}

/** A cgroup's files cannot be removed, only the folder itself, and only when it has no folder within. */
async function removeCgroup(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) if (entry.isDirectory()) await removeCgroup(join(folder, entry.name))
  for (let attempt = 1; ; attempt += 1) {
    try {
      await rmdir(folder)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      if (attempt === MAX_RMDIR_ATTEMPTS) throw error
      // Its last process is still being buried.
      await sleep(50)
    }
  }
}

/** A result of ours is known by the network namespace, which lies in our folder. */
async function removeCniResults(): Promise<void> {
  for (const name of await readdir(CNI_RESULTS).catch(() => [])) {
    const path = join(CNI_RESULTS, name)
    if ((await readFile(path, 'utf8')).includes(paths.containerdState)) await rm(path, { force: true })
  }
}

async function removePodLogLinks(): Promise<void> {
  for (const name of await readdir(POD_LOG_LINKS).catch(() => [])) {
    const path = join(POD_LOG_LINKS, name)
    const target = await readlink(path).catch(() => '')
    if (target.startsWith(`${paths.podLogs}/`)) await rm(path, { force: true })
  }
}

/** There is one kubelet a machine, and this one is ours. */
async function removeDevicePluginFiles(): Promise<void> {
  for (const name of ['kubelet.sock', 'kubelet_internal_checkpoint', 'DEPRECATION']) {
    await rm(join(DEVICE_PLUGINS, name), { force: true })
  }
}
