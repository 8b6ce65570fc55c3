import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import { renamed, type Disk, type DiskFile, type Writes } from './disk.ts'

export type DiskStep = 'create' | 'write' | 'truncate' | 'sync' | 'rename' | 'remove' | 'sync-folder'

function missing(path: string): Error {
  return Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' })
}

/** What there is, and what of it is on stable storage. Contents are never changed in place. */
class Contents {
  readonly folders: Set<string>
  readonly files: Map<string, Buffer>
  /** What of each file's content is on stable storage. */
  readonly synced: Map<string, Buffer>
  /** What the system holds to be on stable storage since a sync of it failed, although it is not. */
  readonly clean: Map<string, Buffer>
  /** Files whose name is on stable storage too. */
  readonly named: Set<string>
  /** What a loss of power leaves. */
  readonly durable: Map<string, Buffer>

  constructor(other?: Contents) {
    this.folders = new Set(other?.folders)
    this.files = new Map(other?.files)
    this.synced = new Map(other?.synced)
    this.clean = new Map(other?.clean)
    this.named = new Set(other?.named)
    this.durable = new Map(other?.durable)
  }
}

/**
 * A disk in memory for tests. It knows what a kill leaves, `files`, and what a loss of power leaves: contents and names
 * as they were when they were last synced. Steps can fail, contents can be damaged at will.
 */
export class MemoryDisk implements Disk {
  freeBytes = 1_000_000_000
  syncs = 0
  openFiles = 0
  /** Called before each step that changes something; the step fails with what it throws, having done nothing. */
  onStep: (step: DiskStep, path: string) => void = () => undefined
  #contents: Contents
  #failures: { operation: 'write' | 'sync'; code: string }[] = []

  constructor(other?: MemoryDisk) {
    this.#contents = new Contents(other ? other.#contents : undefined)
  }

  get files(): Map<string, Buffer> {
    return this.#contents.files
  }

  failNext(operation: 'write' | 'sync', code: string): void {
    this.#failures.push({ operation, code })
  }

  /** Forgets what no sync has covered. */
  powerLoss(): void {
    const { folders, durable } = this.#contents
    const left = new Contents()
    for (const folder of folders) left.folders.add(folder)
    for (const [path, content] of durable) {
      for (const contents of [left.files, left.synced, left.durable]) contents.set(path, content)
      left.named.add(path)
    }
    this.#contents = left
  }

  async makeFolder(path: string): Promise<void> {
    this.#contents.folders.add(path)
  }

  async list(path: string): Promise<string[]> {
    if (!this.#contents.folders.has(path)) throw missing(path)
    return [...this.files.keys()]
      .filter((file) => dirname(file) === path)
      .map((file) => file.slice(path.length + 1))
      .sort()
  }

  async read(path: string): Promise<Uint8Array> {
    return Buffer.from(this.content(path))
  }

  async exists(path: string): Promise<boolean> {
    return this.files.has(path) || this.#contents.folders.has(path)
  }

  async sizeBytes(path: string): Promise<number> {
    return this.content(path).length
  }

  async sha256(path: string): Promise<string> {
    return createHash('sha256').update(this.content(path)).digest('hex')
  }

  async create(path: string, writes?: Writes): Promise<DiskFile> {
    if (this.files.has(path)) throw Object.assign(new Error(`EEXIST: ${path}`), { code: 'EEXIST' })
    this.#create(path)
    return this.#open(path, writes)
  }

  async open(path: string): Promise<DiskFile> {
    this.content(path)
    return this.#open(path)
  }

  async replace(path: string, bytes: Uint8Array): Promise<void> {
    const temporaryPath = `${path}.new`
    this.#create(temporaryPath)
    this.#write(temporaryPath, bytes, 0)
    await this.adopt(temporaryPath, path)
  }

  async adopt(temporaryPath: string, path: string): Promise<void> {
    this.#sync(temporaryPath)
    this.onStep('rename', path)
    const { files, synced } = this.#contents
    const content = this.content(temporaryPath)
    this.#forget(temporaryPath)
    this.#forget(path)
    files.set(path, content)
    synced.set(path, content)
    try {
      await this.syncFolder(dirname(path))
    } catch (error) {
      throw renamed(path, error)
    }
  }

  async remove(path: string): Promise<void> {
    this.onStep('remove', path)
    this.#forget(path)
  }

  async syncFolder(path: string): Promise<void> {
    this.#fail('sync')
    this.onStep('sync-folder', path)
    const { files, synced, named, durable } = this.#contents
    for (const file of [...files.keys(), ...durable.keys()]) {
      if (dirname(file) !== path) continue
      if (!files.has(file)) durable.delete(file)
      else if (!named.has(file)) {
        named.add(file)
        durable.set(file, synced.get(file) ?? Buffer.alloc(0))
      }
    }
  }

  async space(): Promise<{ freeBytes: number; totalBytes: number }> {
    return { freeBytes: this.freeBytes, totalBytes: 1_000_000_000 }
  }

  content(path: string): Buffer {
    const content = this.files.get(path)
    if (!content) throw missing(path)
    return content
  }

  #create(path: string): void {
    this.onStep('create', path)
    this.#forget(path)
    this.files.set(path, Buffer.alloc(0))
  }

  /** What has no name any more may still have it on stable storage. */
  #forget(path: string): void {
    const { files, synced, clean, named } = this.#contents
    for (const each of [files, synced, clean, named]) each.delete(path)
  }

  #open(path: string, writes: Writes = 'cached'): DiskFile {
    this.openFiles++
    return {
      write: async (bytes, offset) => {
        this.#write(path, bytes, offset)
        if (writes === 'durable') this.#sync(path)
      },
      truncate: async (sizeBytes) => {
        this.onStep('truncate', path)
        this.files.set(path, Buffer.from(this.content(path).subarray(0, sizeBytes)))
      },
      sync: async () => this.#sync(path),
      close: async () => {
        this.openFiles--
      },
    }
  }

  #write(path: string, bytes: Uint8Array, offset: number): void {
    this.onStep('write', path)
    const old = this.content(path)
    const content = Buffer.alloc(Math.max(old.length, offset + bytes.length))
    old.copy(content)
    // A write that fails leaves half of what it was to write.
    const failed = this.#failures[0]?.operation === 'write'
    content.set(failed ? bytes.subarray(0, bytes.length / 2) : bytes, offset)
    this.files.set(path, content)
    this.#fail('write')
  }

  #sync(path: string): void {
    const { synced, clean, named, durable } = this.#contents
    // As on Linux: what a failed sync did not write no later one does, unless it is written again.
    if (this.#failures[0]?.operation === 'sync') clean.set(path, this.content(path))
    this.#fail('sync')
    this.onStep('sync', path)
    this.syncs++
    if (clean.get(path) === this.content(path)) return
    synced.set(path, this.content(path))
    if (named.has(path)) durable.set(path, this.content(path))
  }

  #fail(operation: 'write' | 'sync'): void {
    if (this.#failures[0]?.operation !== operation) return
    const { code } = this.#failures.shift()!
    throw Object.assign(new Error(code), { code })
  }
}
