import type { Disk, DiskFile, Writes } from '../../storage-node/disk/disk.ts'

/** A disk whose syncs, and writes that are as good as one, wait from `hold` until `release`. */
export interface SlowDisk {
  readonly disk: Disk
  hold(): void
  release(): void
}

export function slowDisk(inner: Disk): SlowDisk {
  let gate = Promise.resolve()
  let release = (): void => undefined
  const slow = (file: DiskFile, writes: Writes = 'cached'): DiskFile => ({
    async write(bytes, offset) {
      if (writes === 'durable') await gate
      await file.write(bytes, offset)
    },
    truncate: (sizeBytes) => file.truncate(sizeBytes),
    async sync() {
      await gate
      await file.sync()
    },
    close: () => file.close(),
  })
  return {
    disk: {
      makeFolder: (path) => inner.makeFolder(path),
      list: (path) => inner.list(path),
      read: (path) => inner.read(path),
      exists: (path) => inner.exists(path),
      sizeBytes: (path) => inner.sizeBytes(path),
      sha256: (path) => inner.sha256(path),
      create: async (path, writes) => slow(await inner.create(path, writes), writes),
      open: async (path) => slow(await inner.open(path)),
      replace: (path, bytes) => inner.replace(path, bytes),
      adopt: (temporaryPath, path) => inner.adopt(temporaryPath, path),
      remove: (path) => inner.remove(path),
      syncFolder: (path) => inner.syncFolder(path),
      space: (path) => inner.space(path),
    },
    hold() {
      gate = new Promise((resolve) => {
        release = resolve
      })
    },
    release: () => release(),
  }
}
