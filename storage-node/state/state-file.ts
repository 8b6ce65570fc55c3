import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { AppError } from '../../common/errors.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { isFull, type Disk } from '../disk/disk.ts'
import type { StateFile } from './state-store.ts'

const purpose = 'state/document'
const checksumBytes = 4

/**
 * `state/document` below the data folder: the document and the revoked token ids, sealed with the data key, and a CRC-32
 * of that, little-endian, which tells damage from another data key.
 */
export function sealedStateFile(disk: Disk, keyring: Keyring, dataDir: string): StateFile {
  const folder = join(dataDir, 'state')
  const file = join(folder, 'document')
  return {
    async read() {
      if (!(await disk.exists(file))) return null
      // A kill may have left one that is not durable yet; what is decided on it must not be undone.
      await disk.syncFolder(folder)
      return keyring.unseal(purpose, withoutChecksum(file, await disk.read(file)))
    },
    async replace(content) {
      try {
        await disk.makeFolder(folder)
        await disk.replace(file, withChecksum(keyring.seal(purpose, content)))
      } catch (error) {
        if (!isFull(error)) throw error
        const text = 'the disk is full: the state document cannot be kept'
        throw new AppError('unavailable', 'ERR_DISK_FULL', text, { cause: error })
      }
    },
  }
}

function withChecksum(sealed: Uint8Array): Uint8Array {
  const checksum = Buffer.alloc(checksumBytes)
  checksum.writeUInt32LE(crc32(sealed))
  return Buffer.concat([sealed, checksum])
}

/** @throws AppError corrupt, ERR_STATE_CORRUPT */
function withoutChecksum(file: string, content: Uint8Array): Uint8Array {
  const sealed = content.subarray(0, -checksumBytes)
  if (Buffer.from(withChecksum(sealed)).equals(content)) return sealed
  throw new AppError('corrupt', 'ERR_STATE_CORRUPT', `${file} is damaged`)
}
