import { access, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** The files of a memory group, in the two forms that Linux has. */
interface Layout {
  readonly mount: string
  readonly limit: string
  readonly usage: string
  readonly inactive: RegExp
  readonly kills: { readonly file: string; readonly pattern: RegExp }
}

const layouts: readonly Layout[] = [
  {
    mount: '/sys/fs/cgroup/memory',
    limit: 'memory.limit_in_bytes',
    usage: 'memory.usage_in_bytes',
    inactive: /^total_inactive_file (\d+)$/m,
    kills: { file: 'memory.oom_control', pattern: /^oom_kill (\d+)$/m },
  },
  {
    mount: '/sys/fs/cgroup',
    limit: 'memory.max',
    usage: 'memory.current',
    inactive: /^inactive_file (\d+)$/m,
    kills: { file: 'memory.events', pattern: /^oom_kill (\d+)$/m },
  },
]

/** Memory of a server and all its children, in bytes. */
export interface Memory {
  /** Sum of the private anonymous pages: what the processes themselves hold. */
  readonly anonymousBytes: number
  /** What a kubelet would see: usage without the inactive file cache. Null where there is no group. */
  readonly workingSetBytes: number | null
}

/** The processes of one server: in a memory group of their own where the machine lets us make one. */
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

/** @param limitBytes what the group may use; without a group nothing holds the server to it */
export async function createProcessGroup(name: string, limitBytes: number | null): Promise<ProcessGroup> {
  const made = await makeGroup(`holdfast-bench-${process.pid}-${name}`, limitBytes)
  if (made === null)
    return {
      joinFile: null,
      memoryKills: async () => null,
      memory: async (pid) => ({ anonymousBytes: await anonymousBytes(pid), workingSetBytes: null }),
      cpuSeconds,
      remove: async () => {},
    }
  const { folder, layout } = made
  const read = (file: string) => readFile(join(folder, file), 'utf8')
  return {
    joinFile: join(folder, 'cgroup.procs'),
    memoryKills: async () => numberIn(await read(layout.kills.file), layout.kills.pattern),
    memory: async (pid) => {
      const usage = Number(await read(layout.usage))
      const inactive = numberIn(await read('memory.stat'), layout.inactive)
      return { anonymousBytes: await anonymousBytes(pid), workingSetBytes: Math.max(0, usage - inactive) }
    },
    cpuSeconds,
    async remove() {
      for (let attempt = 0; attempt < 100 && (await read('cgroup.procs')).trim() !== ''; attempt++)
        await sleep(100)
      await rmdir(folder)
    },
  }
}

/** @returns null where the machine has no memory groups that we may make */
async function makeGroup(
  name: string,
  limitBytes: number | null,
): Promise<{ readonly folder: string; readonly layout: Layout } | null> {
  for (const layout of layouts) {
    const folder = join(layout.mount, name)
    if (
      !(await mkdir(folder).then(
        () => true,
        () => false,
      ))
    )
      continue
    try {
      await access(join(folder, layout.usage))
      if (limitBytes !== null) await writeFile(join(folder, layout.limit), String(limitBytes))
      return { folder, layout }
    } catch {
      await rmdir(folder)
    }
  }
  return null
}

const numberIn = (text: string, pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0)

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
