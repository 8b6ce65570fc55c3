import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { AppError } from '../../common/errors.ts'
import { nodeDisk } from './node-disk.ts'

/** SQLITE_BUSY: another connection holds the lock. */
const busy = 5

/**
 * Takes a folder for this process alone; two that wrote one would ruin it. The lock is the kernel's own on an open
 * file, which SQLite takes and nothing else of Node's can: it ends with the process, however that ends, so none is
 * ever left behind, and it holds between containers of one machine, which see neither each other's processes nor
 * each other's sockets. The database stays empty.
 * @returns what gives the folder back
 * @throws AppError conflict, ERR_DATA_FOLDER_IN_USE
 */
export async function lockFolder(folder: string): Promise<() => void> {
  await nodeDisk.makeFolder(folder)
  const database = new DatabaseSync(join(folder, 'lock'))
  try {
    database.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if (!(error instanceof Error && 'errcode' in error && error.errcode === busy)) throw error
    throw new AppError('conflict', 'ERR_DATA_FOLDER_IN_USE', `${folder} is in use by another process`, {
      cause: error,
    })
  }
  return () => database.close()
}
