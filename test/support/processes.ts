import { readdir, readFile } from 'node:fs/promises'
import { kill } from 'node:process'
import type { TestCluster } from './kubernetes.ts'

/**
 * kill -9 of the storage node of one organization, from the machine that runs it: no signal handler, no grace. The
 * process is found by the pod's uid in its cgroup, so that nothing else can be hit.
 */
export async function killStorageNode(test: TestCluster, namespace: string): Promise<void> {
  const pod = await test.get('pod', 'storage-node-0', '--namespace', namespace)
  const processes = await processesOfPod(pod.metadata.uid)
  const nodes = processes.filter(({ command }) => command.includes('/app/storage-node.js'))
  if (nodes.length !== 1)
    throw new Error(`one storage node process expected in ${namespace}, found ${nodes.length}`)
  kill(nodes[0]!.pid, 'SIGKILL')
}

interface PodProcess {
  readonly pid: number
  readonly command: string
}

async function processesOfPod(uid: string): Promise<readonly PodProcess[]> {
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
