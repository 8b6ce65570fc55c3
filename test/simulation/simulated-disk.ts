import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import {
  hasCode,
  renamed,
  type Disk,
  type DiskFile,
  type DiskSpace,
  type Writes,
} from '../../storage-node/disk/disk.ts'
import type { Inode } from './inode.ts'
import type { Random } from './random.ts'
import type { Storage } from './storage.ts'

export type Step = 'create' | 'write' | 'truncate' | 'sync' | 'rename' | 'remove' | 'sync-folder' | 'read'

interface Pending {
  readonly step: Step
  readonly path: string
  readonly act: () => void
  /** The room that it takes. */
  readonly neededBytes: () => number
  /** What a crash or a full disk may leave of it. */
  readonly actPartly: () => void
  readonly actFailing: () => void
  readonly resolve: () => void
  readonly reject: (error: Error) => void
  /** So many turns pass before it can be done. */
  delay: number
}

export interface Faults {
  /** What is free; null is more than anybody needs. */
  roomBytes: number | null
  /** The next sync, of a file or a folder, fails. */
  failSync: boolean
}

interface More {
  readonly needed?: () => number
  readonly partly?: () => void
  readonly failing?: () => void
}

const totalBytes = 1_000_000
const never = new Promise<never>(() => undefined)
const failure = (code: string, path: string): Error => Object.assign(new Error(`${code}: ${path}`), { code })

/** Names of temporary files have a part that is not the seed's. */
export const nameOf = (path: string): string => path.replace(/\.[0-9a-f]{8}-[0-9a-f-]{27}$/, '.…')

/**
 * The disk as one process sees it. What changes something is put in line, and `turn` does one of what stands there:
 * whoever drives the simulation decides when. After a crash nothing is ever answered.
 */
export class SimulatedDisk implements Disk {
  readonly faults: Faults = { roomBytes: null, failSync: false }
  /** Files of which a sync has failed. */
  readonly unsynced: string[] = []
  readonly #storage: Storage
  readonly #random: Random
  readonly #trace: (line: string) => void
  #pending: Pending[] = []
  #steps = 0
  #dead = false

  constructor(storage: Storage, random: Random, trace: (line: string) => void) {
    this.#storage = storage
    this.#random = random
    this.#trace = trace
  }

  /** Steps that were done and may have changed something. */
  get steps(): number {
    return this.#steps
  }

  get isIdle(): boolean {
    return this.#pending.length === 0
  }

  /** Does one thing of what is under way. */
  turn(): void {
    for (const pending of this.#pending) if (pending.delay > 0) pending.delay--
    const ready = this.#pending.filter(({ delay }) => delay === 0)
    if (ready.length === 0 || this.#dead) return
    const pending = this.#random.pick(ready)
    this.#pending = this.#pending.filter((each) => each !== pending)
    if (pending.step !== 'read') this.#steps++
    this.#do(pending)
  }

  /** The process ends: what is under way is done, or a part of it, or nothing. */
  kill(): void {
    this.#dead = true
    for (const pending of this.#pending) {
      const how = this.#random.pick(['not', 'wholly', 'partly'] as const)
      this.#trace(`${how} ${pending.step} ${nameOf(pending.path)}`)
      if (how === 'partly') pending.actPartly()
      if (how === 'wholly') actIfPossible(pending)
    }
    this.#pending = []
  }

  async makeFolder(path: string): Promise<void> {
    await this.#alive()
    this.#storage.folders.add(path)
  }

  async list(path: string): Promise<string[]> {
    await this.#alive()
    if (!this.#storage.folders.has(path)) throw failure('ENOENT', path)
    return [...this.#storage.paths]
      .filter((file) => dirname(file) === path)
      .map((file) => file.slice(path.length + 1))
      .sort()
  }

  async read(path: string): Promise<Uint8Array> {
    await this.#alive()
    return Buffer.from(this.#inode(path).content)
  }

  /** As another process reads it: that takes time, and the file has to be there when its turn comes. */
  async readSlowly(path: string): Promise<Buffer> {
    await this.#perform('read', path, () => this.#inode(path))
    return this.#inode(path).content
  }

  async exists(path: string): Promise<boolean> {
    await this.#alive()
    return this.#storage.inode(path) !== undefined || this.#storage.folders.has(path)
  }

  async sizeBytes(path: string): Promise<number> {
    await this.#alive()
    return this.#inode(path).content.length
  }

  async sha256(path: string): Promise<string> {
    await this.#alive()
    return createHash('sha256').update(this.#inode(path).content).digest('hex')
  }

  async create(path: string, writes?: Writes): Promise<DiskFile> {
    let inode: Inode | null = null
    await this.#perform('create', path, () => {
      if (this.#storage.inode(path)) throw failure('EEXIST', path)
      inode = this.#storage.create(path)
    })
    return this.#file(inode!, path, writes)
  }

  async open(path: string): Promise<DiskFile> {
    await this.#alive()
    return this.#file(this.#inode(path), path)
  }

  async replace(path: string, bytes: Uint8Array): Promise<void> {
    const temporaryPath = `${path}.new`
    await this.#perform('create', temporaryPath, () => {
      const old = this.#storage.inode(temporaryPath)
      if (old) old.truncate(0)
      else this.#storage.create(temporaryPath)
    })
    await this.#write(this.#inode(temporaryPath), temporaryPath, bytes, 0)
    await this.adopt(temporaryPath, path)
  }

  async adopt(temporaryPath: string, path: string): Promise<void> {
    await this.#sync(this.#inode(temporaryPath), temporaryPath)
    await this.#perform('rename', path, () => {
      this.#inode(temporaryPath)
      this.#storage.rename(temporaryPath, path)
    })
    try {
      await this.syncFolder(dirname(path))
    } catch (error) {
      throw renamed(path, error)
    }
  }

  remove(path: string): Promise<void> {
    return this.#perform('remove', path, () => this.#storage.remove(path))
  }

  syncFolder(path: string): Promise<void> {
    // After a failure a later one that succeeds covers the same names: they are in a journal, in order.
    return this.#perform('sync-folder', path, () => this.#storage.syncFolder(path))
  }

  async space(): Promise<DiskSpace> {
    await this.#alive()
    return { freeBytes: this.faults.roomBytes ?? totalBytes, totalBytes }
  }

  #file(inode: Inode, path: string, writes: Writes = 'cached'): DiskFile {
    return {
      write: async (bytes, offset) => {
        await this.#write(inode, path, bytes, offset)
        if (writes === 'durable') await this.#sync(inode, path)
      },
      truncate: (sizeBytes) => this.#perform('truncate', path, () => inode.truncate(sizeBytes)),
      sync: () => this.#sync(inode, path),
      close: () => this.#alive(),
    }
  }

  #write(inode: Inode, path: string, bytes: Uint8Array, offset: number): Promise<void> {
    return this.#perform('write', path, () => inode.write(bytes, offset), {
      needed: () => Math.max(0, offset + bytes.length - inode.content.length),
      partly: () => inode.write(bytes.subarray(0, this.#random.below(bytes.length + 1)), offset),
    })
  }

  #sync(inode: Inode, path: string): Promise<void> {
    return this.#perform('sync', path, () => inode.sync(), { failing: () => inode.failSync(this.#random) })
  }

  #inode(path: string): Inode {
    const inode = this.#storage.inode(path)
    if (!inode) throw failure('ENOENT', path)
    return inode
  }

  async #alive(): Promise<void> {
    if (this.#dead) await never
  }

  #perform(step: Step, path: string, act: () => unknown, more: More = {}): Promise<void> {
    if (this.#dead) return never
    const isSlow =
      (isSync(step) && this.#random.chance(0.1)) ||
      (step === 'read' && !this.isIdle && this.#random.chance(0.3))
    return new Promise<void>((resolve, reject) => {
      this.#pending.push({
        step,
        path,
        act: () => void act(),
        neededBytes: more.needed ?? (() => (step === 'create' ? 1 : 0)),
        actPartly: more.partly ?? (() => undefined),
        actFailing: more.failing ?? (() => undefined),
        resolve,
        reject,
        delay: isSlow ? this.#random.between(1, 40) : 0,
      })
    })
  }

  #do(pending: Pending): void {
    const { step, path } = pending
    const code = this.#failureOf(pending)
    try {
      const beforeBytes = this.#usedBytes()
      if (code === null) pending.act()
      else if (code === 'EIO') pending.actFailing()
      else pending.actPartly()
      this.#takeRoom(code === null || code === 'EIO' ? this.#usedBytes() - beforeBytes : Infinity)
      if (code !== null) throw failure(code, path)
      this.#trace(`${step} ${nameOf(path)}`)
      pending.resolve()
    } catch (error) {
      this.#trace(`${step} ${nameOf(path)} ${code ?? 'fails'}`)
      pending.reject(error as Error)
    }
  }

  #failureOf({ step, path, neededBytes }: Pending): string | null {
    const { faults } = this
    if (faults.failSync && isSync(step)) {
      faults.failSync = false
      if (step === 'sync') this.unsynced.push(path)
      return 'EIO'
    }
    if (faults.roomBytes === null) return null
    const isRefused = step === 'rename' && faults.roomBytes === 0 && this.#random.chance(0.3)
    return isRefused || neededBytes() > faults.roomBytes ? this.#random.pick(['ENOSPC', 'EDQUOT']) : null
  }

  #takeRoom(bytes: number): void {
    const { faults } = this
    if (faults.roomBytes !== null) faults.roomBytes = Math.max(0, faults.roomBytes - bytes)
  }

  #usedBytes(): number {
    return this.faults.roomBytes === null ? 0 : this.#storage.usedBytes
  }
}

const isSync = (step: Step): boolean => step === 'sync' || step === 'sync-folder'

/** Another step of the crash may have taken the file away. */
function actIfPossible(pending: Pending): void {
  try {
    pending.act()
  } catch (error) {
    if (!hasCode(error, 'ENOENT') && !hasCode(error, 'EEXIST')) throw error
  }
}
