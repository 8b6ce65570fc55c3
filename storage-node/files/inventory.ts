import { join } from 'node:path'
import type { Logger } from '../../common/log.ts'
import type { Disk } from '../disk/disk.ts'
import type { StoredFile } from './file-store.ts'

/** The folders that hold files, finished and not. */
export interface FileFolders {
  readonly disk: Disk
  readonly files: string
  readonly temporary: string
}

/** Tells which files are not there or have another size. Content is checked when it is read. */
export async function findMissing(
  folders: FileFolders,
  files: readonly StoredFile[],
  note: (name: string, what: string) => void,
): Promise<void> {
  const there = new Set(await folders.disk.list(folders.files))
  for (const { entry, path } of files) {
    const sizeBytes = there.has(entry.name) ? await folders.disk.sizeBytes(path) : null
    if (sizeBytes === null) note(entry.name, 'it is missing')
    else if (sizeBytes !== entry.sizeBytes)
      note(entry.name, `it has ${sizeBytes} bytes, expected ${entry.sizeBytes}`)
  }
}

/** Removes what no manifest names. */
export async function removeOrphans(
  { disk, files, temporary }: FileFolders,
  names: ReadonlySet<string>,
  log: Logger,
): Promise<void> {
  for (const folder of [files, temporary]) {
    for (const name of await disk.list(folder)) {
      if (folder === files && names.has(name)) continue
      log.info({ file: name }, 'orphaned file removed')
      await disk.remove(join(folder, name))
    }
  }
}
