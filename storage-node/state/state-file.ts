import { join } from 'node:path'
import type { Keyring } from '../crypto/keyring.ts'
import type { Disk } from '../disk/disk.ts'
import type { StateFile } from './state-store.ts'

const purpose = 'state document'

/** `state/document` below the data folder: the document and the revoked token ids, sealed with the data key. */
export function sealedStateFile(disk: Disk, keyring: Keyring, dataDir: string): StateFile {
  const folder = join(dataDir, 'state')
  const file = join(folder, 'document')
  return {
    read: async () => ((await disk.exists(file)) ? keyring.unseal(purpose, await disk.read(file)) : null),
    async replace(content) {
      await disk.makeFolder(folder)
      await disk.replace(file, keyring.seal(purpose, content))
    },
  }
}
