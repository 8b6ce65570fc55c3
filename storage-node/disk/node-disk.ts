import { createHash } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hasCode, renamed, type Disk, type DiskFile, type DiskSpace, type Writes } from './disk.ts'

/** Only the node's own user may read what it writes. */
const fileMode = 0o600
const folderMode = 0o700

class NodeFile implements DiskFile {
  readonly #handle: FileHandle

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    // A write may be cut short, by a signal or a nearly full disk; the next attempt gets the rest or the error.
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, offset + done)
      done += bytesWritten
    }
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#handle.truncate(sizeBytes)
  }

  sync(): Promise<void> {
    return this.#handle.datasync()
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

function create(path: string, writes: Writes = 'cached'): Promise<FileHandle> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_DSYNC } = constants
  return open(path, O_WRONLY | O_CREAT | O_EXCL | (writes === 'durable' ? O_DSYNC : 0), fileMode)
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: folderMode })
  if (first === undefined) return
  for (let folder = path; folder.length >= first.length; folder = dirname(folder))
    await syncPath(dirname(folder))
}

async function sha256(path: string): Promise<string> {
  const digest = createHash('sha256')
  for await (const piece of createReadStream(path)) digest.update(piece as Buffer)
  return digest.digest('hex')
}

async function adopt(temporaryPath: string, path: string): Promise<void> {
  await syncPath(temporaryPath)
  await rename(temporaryPath, path)
  try {
    await syncPath(dirname(path))
  } catch (error) {
    throw renamed(path, error)
  }
}

async function replace(path: string, bytes: Uint8Array): Promise<void> {
  const temporaryPath = `${path}.new`
  const handle = await open(temporaryPath, 'w', fileMode)
  try {
    await new NodeFile(handle).write(bytes, 0)
  } finally {
    await handle.close()
  }
  await adopt(temporaryPath, path)
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}

async function space(path: string): Promise<DiskSpace> {
  const { bsize, bavail, blocks } = await statfs(path)
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
}

/** The real file system. */
export const nodeDisk: Disk = {
  makeFolder,
  list: async (path) => (await readdir(path)).sort(),
  read: (path) => readFile(path),
  exists,
  sizeBytes: async (path) => (await stat(path)).size,
  sha256,
  create: async (path, writes) => new NodeFile(await create(path, writes)),
  open: async (path) => new NodeFile(await open(path, 'r+')),
  replace,
  adopt,
  remove: (path) => rm(path, { force: true }),
  syncFolder: syncPath,
  space,
}
