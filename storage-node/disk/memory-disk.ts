import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import type { Disk, DiskFile } from './disk.ts'

function missing(path: string): Error {
  return Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' })
}

/** A disk in memory for tests. `failNext` makes the next write or sync fail; contents can be damaged at will. */
export class MemoryDisk implements Disk {
  readonly files = new Map<string, Buffer>()
  readonly #folders = new Set<string>()
  freeBytes = 1_000_000_000
  syncs = 0
  #failures: { operation: 'write' | 'sync'; code: string }[] = []

  failNext(operation: 'write' | 'sync', code: string): void {
    this.#failures.push({ operation, code })
  }

  async makeFolder(path: string): Promise<void> {
    this.#folders.add(path)
  }

  async list(path: string): Promise<string[]> {
    if (!this.#folders.has(path)) throw missing(path)
    return [...this.files.keys()]
      .filter((file) => dirname(file) === path)
      .map((file) => file.slice(path.length + 1))
      .sort()
  }

  async read(path: string): Promise<Uint8Array> {
    return Buffer.from(this.content(path))
  }

  async exists(path: string): Promise<boolean> {
    return this.files.has(path) || this.#folders.has(path)
  }

  async sizeBytes(path: string): Promise<number> {
    return this.content(path).length
  }

  async sha256(path: string): Promise<string> {
    return createHash('sha256').update(this.content(path)).digest('hex')
  }

  async create(path: string): Promise<DiskFile> {
    if (this.files.has(path)) throw Object.assign(new Error(`EEXIST: ${path}`), { code: 'EEXIST' })
    this.files.set(path, Buffer.alloc(0))
    return this.#open(path)
  }

  async open(path: string): Promise<DiskFile> {
    this.content(path)
    return this.#open(path)
  }

  async replace(path: string, bytes: Uint8Array): Promise<void> {
    this.#fail('write')
    this.files.set(path, Buffer.from(bytes))
  }

  async adopt(temporaryPath: string, path: string): Promise<void> {
    this.#fail('sync')
    this.files.set(path, this.content(temporaryPath))
    this.files.delete(temporaryPath)
  }

  async remove(path: string): Promise<void> {
    this.files.delete(path)
  }

  async syncFolder(): Promise<void> {
    this.#fail('sync')
  }

  async space(): Promise<{ freeBytes: number; totalBytes: number }> {
    return { freeBytes: this.freeBytes, totalBytes: 1_000_000_000 }
  }

  content(path: string): Buffer {
    const content = this.files.get(path)
    if (!content) throw missing(path)
    return content
  }

  #open(path: string): DiskFile {
    return {
      write: async (bytes, offset) => {
        const old = this.content(path)
        const content = Buffer.alloc(Math.max(old.length, offset + bytes.length))
        old.copy(content)
        // A write that fails leaves half of what it was to write.
        const failed = this.#failures[0]?.operation === 'write'
        content.set(failed ? bytes.subarray(0, bytes.length / 2) : bytes, offset)
        this.files.set(path, content)
        this.#fail('write')
      },
      truncate: async (sizeBytes) => {
        this.files.set(path, this.content(path).subarray(0, sizeBytes))
      },
      sync: async () => {
        this.#fail('sync')
        this.syncs++
      },
      close: async () => undefined,
    }
  }

  #fail(operation: 'write' | 'sync'): void {
    if (this.#failures[0]?.operation !== operation) return
    const { code } = this.#failures.shift()!
    throw Object.assign(new Error(code), { code })
  }
}
