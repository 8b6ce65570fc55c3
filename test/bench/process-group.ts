import { access, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const mount = '/sys/fs/cgroup/memory'

/** Memory of a server and all its children, in bytes. */
export interface Memory {
  /** Sum of the private anonymous pages: what the processes themselves hold. */
  readonly anonymousBytes: number
  /** What a kubelet would see: usage without the inactive file cache. Null where there is no group. */
  readonly workingSetBytes: number | null
}

/** The processes of one server: in a memory group of their own where the machine lets us make one (cgroup v1). */
export interface ProcessGroup {
  /** Null where no group could be made; a shell's `echo $$ >` into this file joins it. */
  readonly joinFile: string | null
  /** How many processes of the group the kernel ended for want of memory; null without a group. */
  memoryKills(): Promise<number | null>
  memory(pid: number): Promise<Memory>
  /** User and system time so far of the processes and of their children that ended, in seconds. */
  cpuSeconds(pid: number): Promise<number>
  remove(): Promise<void>
}

export async function createProcessGroup(name: string, limitBytes: number | null): Promise<ProcessGroup> {
  const folder = join(mount, `holdfast-bench-${process.pid}-${name}`)
  const made = await makeGroup(folder, limitBytes)
  const read = (file: string) => readFile(join(folder, file), 'utf8')
  return {
    joinFile: made ? join(folder, 'cgroup.procs') : null,
    memoryKills: async () =>
      made ? Number(/^oom_kill (\d+)$/m.exec(await read('memory.oom_control'))?.[1] ?? 0) : null,
    memory: async (pid) => ({
      anonymousBytes: await anonymousBytes(pid),
      workingSetBytes: made ? await workingSetBytes(read) : null,
    }),
    cpuSeconds,
    async remove() {
      if (!made) return
      for (let attempt = 0; attempt < 100 && (await read('cgroup.procs')).trim() !== ''; attempt++)
        await sleep(100)
      await rmdir(folder)
    },
  }
}

/** @returns false where the machine has no cgroup v1 that we may write */
async function makeGroup(folder: string, limitBytes: number | null): Promise<boolean> {
  try {
    await access(join(mount, 'memory.limit_in_bytes'))
    await mkdir(folder)
    if (limitBytes !== null) await writeFile(join(folder, 'memory.limit_in_bytes'), String(limitBytes))
    return true
  } catch {
    return false
  }
}

async function workingSetBytes(read: (file: string) => Promise<string>): Promise<number> {
  const usage = Number(await read('memory.usage_in_bytes'))
  const inactive = Number(/^total_inactive_file (\d+)$/m.exec(await read('memory.stat'))?.[1] ?? 0)
  return Math.max(0, usage - inactive)
}

/** The process and its children, theirs too, as far as they live. */
async function tree(pid: number): Promise<readonly number[]> {
  const tasks = await readdir(`/proc/${pid}/task`).catch(() => [])
  const lists = await Promise.all(
    tasks.map((task) => readFile(`/proc/${pid}/task/${task}/children`, 'utf8').catch(() => '')),
  )
  const children = lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number))
  return [pid, ...(await Promise.all(children.map(tree))).flat()]
}

async function anonymousBytes(pid: number): Promise<number> {
  const texts = await Promise.all(
    (await tree(pid)).map((each) => readFile(`/proc/${each}/status`, 'utf8').catch(() => '')),
  )
  return texts.reduce((sum, text) => sum + Number(/RssAnon:\s+(\d+)/.exec(text)?.[1] ?? 0) * 1024, 0)
}

const ticksPerSecond = 100

async function cpuSeconds(pid: number): Promise<number> {
  const texts = await Promise.all(
    (await tree(pid)).map((each) => readFile(`/proc/${each}/stat`, 'utf8').catch(() => '')),
  )
  const ticks = texts.map((text) => {
    // Fields 14 to 17; the name in brackets before them may hold spaces.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  })
  return ticks.reduce((sum, each) => sum + each, 0) / ticksPerSecond
}
