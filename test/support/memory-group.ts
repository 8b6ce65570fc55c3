import { access, mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const mount = '/sys/fs/cgroup/memory'

/** In bytes. What the kubelet calls the working set is all that is charged, less the file pages that are on their way out. */
export interface MemoryUse {
  readonly workingSet: number
  /** Memory that processes made for themselves. */
  readonly anonymous: number
  /** File pages in use, of those that nobody else had read before. */
  readonly activeFile: number
}

/** A memory cgroup (version 1) of a test's own, with a limit as a pod has one. */
export class MemoryGroup {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** @returns the reason, where this machine gives no such group */
  static async create(name: string, limitBytes: number): Promise<MemoryGroup | string> {
    const folder = join(mount, `${name}-${process.pid}`)
    try {
      await access(join(mount, 'memory.limit_in_bytes'))
      await mkdir(folder)
      await writeFile(join(folder, 'memory.limit_in_bytes'), String(limitBytes))
      return new MemoryGroup(folder)
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }

  /** The command line that runs another one in the group from its first instruction on; its children are in it too. */
  within(command: readonly string[]): readonly string[] {
    return ['/bin/sh', '-c', `echo $$ > ${join(this.#folder, 'cgroup.procs')} && exec "$@"`, 'sh', ...command]
  }

  async use(): Promise<MemoryUse> {
    const [charged, statistics] = await Promise.all([
      this.#read('memory.usage_in_bytes'),
      this.#read('memory.stat'),
    ])
    const figure = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(statistics)![1])
    return {
      workingSet: Number(charged) - figure('total_inactive_file'),
      anonymous: figure('total_rss'),
      activeFile: figure('total_active_file'),
    }
  }

  /** How often a process was ended for want of memory. */
  async kills(): Promise<number> {
    return Number(/^oom_kill (\d+)$/m.exec(await this.#read('memory.oom_control'))?.[1] ?? 0)
  }

  /** A query process ends by itself when its node is gone; the group goes when it is empty. */
  async remove(): Promise<void> {
    for (let attempt = 0; attempt < 600; attempt++) {
      if ((await this.#read('cgroup.procs')).trim() === '') break
      await sleep(100)
    }
    await rmdir(this.#folder)
  }

  #read(name: string): Promise<string> {
    return readFile(join(this.#folder, name), 'utf8')
  }
}
