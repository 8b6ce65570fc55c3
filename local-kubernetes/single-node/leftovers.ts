import { readFile, readdir, rm, rmdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../../common/errors.ts'
import { processIdentity } from '../../scripts/process-identity.ts'
import { run, tryRun } from '../../scripts/run.ts'
import { componentPrograms } from './components.ts'
import { CGROUP, CNI_NETWORK, DATA, paths, RUN } from './layout.ts'
import { endProcess, startedComponents, stopComponent } from './process.ts'

const CGROUP_MOUNT = '/sys/fs/cgroup'
const CNI_RESULTS = '/var/lib/cni/results'
const POD_LOG_LINKS = '/var/log/containers'
const MAX_UNMOUNT_ROUNDS = 20

/**
 * Ends every process of the cluster, pods and all, and takes away what they would leave behind: mounts, network
 * namespaces, cgroups, sockets. What lies in our folders stays.
 */
export async function endEverything(): Promise<void> {
  // The kubelet first, or it would start again what is being ended.
  await stopComponent('kubelet')
  await Promise.all((await startedComponents()).filter((name) => name !== 'containerd').map(stopComponent))
  const shims = (await processes()).filter(isOurShim)
  await Promise.all(shims.map(endPod))
  await stopComponent('containerd')
  await Promise.all((await processes()).filter(isStray).map(({ identity }) => endProcess(identity)))
  await removeShimSockets()
  await unmountAll()
  await removeCgroups()
  await removeCniResults()
  await removePodLogLinks()
}

interface RunningProcess {
  readonly identity: string
  readonly parentPid: number
  readonly args: readonly string[]
}

async function processes(): Promise<RunningProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async (pid): Promise<RunningProcess[]> => {
      try {
        const identity = processIdentity(Number(pid))
        const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0')
        const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
        const parentPid = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
        return identity === undefined ? [] : [{ identity, parentPid, args }]
      } catch {
        // It ended in between.
        return []
      }
    }),
  )
  return found.flat()
}

const pidOf = (process: RunningProcess) => Number(process.identity.split(' ', 1)[0])

/** The process that holds one pod: known by the socket of our own containerd, whatever became of that. */
function isOurShim({ args }: RunningProcess): boolean {
  return basename(args[0] ?? '') === 'containerd-shim-runc-v2' && args.includes(paths.containerdSocket)
}

/** A component whose pid file is gone: all are started by their link in our folder. */
function isStray(process: RunningProcess): boolean {
  return componentPrograms.includes(process.args[0] ?? '') || isOurShim(process)
}

/** With the first process of a container all of it ends: it is process 1 of its namespace. */
async function endPod(shim: RunningProcess): Promise<void> {
  const children = (await processes()).filter(({ parentPid }) => parentPid === pidOf(shim))
  for (const child of children) {
    try {
      process.kill(pidOf(child), 'SIGKILL')
    } catch {
      // It ended in between.
    }
  }
  await Promise.all(children.map(({ identity }) => endProcess(identity)))
  try {
    process.kill(pidOf(shim), 'SIGKILL')
  } catch {
    return
  }
  await endProcess(shim.identity)
}

/** Shims listen outside of containerd's folders, in a place that is the same for every containerd. */
async function removeShimSockets(): Promise<void> {
  const tasks = join(paths.containerdState, 'io.containerd.runtime.v2.task/k8s.io')
  for (const task of await readdir(tasks).catch(() => [])) {
    const address = await readFile(join(tasks, task, 'address'), 'utf8').catch(() => '')
    const socket = address.replace(/^unix:\/\//, '').trim()
    if (socket.startsWith('/run/containerd/s/')) await rm(socket, { force: true })
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

/** The folder of our cgroup in each hierarchy: with version 2 there is one, with version 1 one a controller. */
export async function cgroupFolders(): Promise<string[]> {
  const hierarchies = await readdir(CGROUP_MOUNT, { withFileTypes: true })
  return [
    CGROUP_MOUNT,
    ...hierarchies.filter((entry) => entry.isDirectory()).map(({ name }) => join(CGROUP_MOUNT, name)),
  ]
    .filter((folder) => basename(folder) !== CGROUP)
    .map((folder) => join(folder, CGROUP))
}

async function removeCgroups(): Promise<void> {
  for (const folder of await cgroupFolders()) await removeCgroup(folder)
}

/** A cgroup's files cannot be removed, only the folder itself, and only when it has no folder within. */
async function removeCgroup(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) if (entry.isDirectory()) await removeCgroup(join(folder, entry.name))
  for (let attempt = 0; attempt < 20; attempt += 1) {
    try {
      await rmdir(folder)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      // Its last process is still being buried.
      await sleep(50)
    }
  }
}

async function removeCniResults(): Promise<void> {
  for (const name of await readdir(CNI_RESULTS).catch(() => [])) {
    if (name.startsWith(`${CNI_NETWORK}-`)) await rm(join(CNI_RESULTS, name), { force: true })
  }
}

async function removePodLogLinks(): Promise<void> {
  if ((await tryRun('test', ['-d', POD_LOG_LINKS])) === undefined) return
  await run('find', [
    POD_LOG_LINKS,
    '-maxdepth',
    '1',
    '-type',
    'l',
    '-lname',
    `${paths.podLogs}/*`,
    '-delete',
  ])
}
