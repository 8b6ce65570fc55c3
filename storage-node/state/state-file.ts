import { join } from 'node:path'
import { AppError } from '../../common/errors.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { isFull, type Disk } from '../disk/disk.ts'
import type { StateFile } from './state-store.ts'

const purpose = 'state/document'

/** `state/document` below the data folder: the document and the revoked token ids, sealed with the data key. */
export function sealedStateFile(disk: Disk, keyring: Keyring, dataDir: string): StateFile {
  const folder = join(dataDir, 'state')
  const file = join(folder, 'document')
  return {
    async read() {
      if (!(await disk.exists(file))) return null
      // A kill may have left one that is not durable yet; what is decided on it must not be undone.
      await disk.syncFolder(folder)
      return keyring.unseal(purpose, await disk.read(file))
    },
    async replace(content) {
      try {
        await disk.makeFolder(folder)
        await disk.replace(file, keyring.seal(purpose, content))
      } catch (error) {
        if (!isFull(error)) throw error
        const text = 'the disk is full: the state document cannot be kept'
        throw new AppError('unavailable', 'ERR_DISK_FULL', text, { cause: error })
      }
    },
  }
}
