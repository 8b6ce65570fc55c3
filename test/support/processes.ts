import { readdir, readFile } from 'node:fs/promises'
import { kill } from 'node:process'
import type { TestCluster } from './kubernetes.ts'

export type Component = 'operator' | 'gateway' | 'storage-node' | 'isolation-probe'

/** Selects the pods of one of our programs. */
export const selectorOf = (component: Component): string => `app.kubernetes.io/component=${component}`

/** kill -9 of the storage node of one organization: no signal handler, no grace. */
export const killStorageNode = (test: TestCluster, namespace: string): Promise<void> =>
  killProgram(test, namespace, 'storage-node')

/**
 * kill -9 of a program in its pod, from the machine that runs it. The process is found by the pod's uid in its cgroup, so
 * that nothing else can be hit.
 * @throws Error where not exactly one such process runs
 */
export async function killProgram(test: TestCluster, namespace: string, component: Component): Promise<void> {
  const pods = await test.get('pods', '--namespace', namespace, '--selector', selectorOf(component))
  const uids = pods.items.map(({ metadata }) => metadata.uid)
  const found = (await Promise.all(uids.map(processesOfPod))).flat()
  const programs = found.filter(({ command }) => command.includes(`/app/${component}.js`))
  if (programs.length !== 1)
    throw new Error(`one ${component} process expected in ${namespace}, found ${programs.length}`)
  kill(programs[0]!.pid, 'SIGKILL')
}

interface PodProcess {
  readonly pid: number
  readonly command: string
}

/** All processes of a pod on this machine, as the machine numbers them. */
export async function processesOfPod(uid: string): Promise<readonly PodProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async (pid): Promise<PodProcess | null> => {
      try {
        const cgroup = await readFile(`/proc/${pid}/cgroup`, 'utf8')
        if (!cgroup.includes(uid)) return null
        return {
          pid: Number(pid),
          command: (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' '),
        }
      } catch {
        return null // it ended meanwhile
      }
    }),
  )
  return found.filter((process) => process !== null)
}
