import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../../common/errors.ts'
import { CGROUP } from './layout.ts'

/** Where a hierarchy of cgroups is mounted: with version 2 there is one, with version 1 one a controller. */
export interface CgroupHierarchy {
  readonly folder: string
  readonly version: 1 | 2
}

/** @param mountInfo text of proc_pid_mountinfo(5), whose file system type follows a lone dash */
export function cgroupHierarchies(mountInfo: string): CgroupHierarchy[] {
  return mountInfo.split('\n').flatMap((line): CgroupHierarchy[] => {
    const [mount, source] = line.split(' - ', 2)
    const folder = mount?.split(' ')[4]
    const type = source?.split(' ', 1)[0]
    if (folder === undefined || (type !== 'cgroup' && type !== 'cgroup2')) return []
    return [{ folder, version: type === 'cgroup' ? 1 : 2 }]
  })
}

/** The folders of our own cgroup, one in each hierarchy. */
export async function cgroupFolders(): Promise<string[]> {
  return (await hierarchies()).map(({ folder }) => join(folder, CGROUP))
}

/** The kubelet takes a cgroup for its root only if that is in every hierarchy and has all controllers. */
export async function prepareCgroups(): Promise<void> {
  for (const { folder, version } of await hierarchies()) {
    try {
      if (version === 2) await enableControllers(folder)
      await mkdir(join(folder, CGROUP), { recursive: true })
    } catch (error) {
      throw new AppError(
        'unavailable',
        'ERR_CLUSTER_CGROUP',
        `cannot make the cgroup ${CGROUP} in ${folder}`,
        {
          cause: error,
        },
      )
    }
  }
}

/** With version 2 a cgroup has only the controllers that the one above it passes on. */
async function enableControllers(root: string): Promise<void> {
  const controllers = (await readFile(join(root, 'cgroup.controllers'), 'utf8'))
    .trim()
    .split(' ')
    .filter(Boolean)
  const passedOn = (await readFile(join(root, 'cgroup.subtree_control'), 'utf8')).trim().split(' ')
  for (const name of controllers) {
    if (!passedOn.includes(name)) await writeFile(join(root, 'cgroup.subtree_control'), `+${name}`)
  }
}

async function hierarchies(): Promise<CgroupHierarchy[]> {
  return cgroupHierarchies(await readFile('/proc/self/mountinfo', 'utf8'))
}
