import { crc32 } from 'node:zlib'
import { Keyring } from '../../storage-node/crypto/keyring.ts'
import { writeDataKeys } from '../../storage-node/data-key-file.ts'
import { MemoryDisk } from '../../storage-node/disk/memory-disk.ts'
import { firstDocument } from '../../storage-node/state/alone.ts'
import { sealedStateFile } from '../../storage-node/state/state-file.ts'
import { kept, Life } from './engine-life.ts'

export const organizationId = '0123456789abcdef'
export const dataKey = new Uint8Array(32).fill(1)
export const keyFile = '/keys/key'
export const engineFolder = '/engine'

/** All that a node which runs alone keeps, `/` being its data folder, as a kill leaves it: points in files and in two log segments. */
export async function nodeFolder(): Promise<Life> {
  const disk = new MemoryDisk()
  for (const path of ['/', '/keys', '/state']) await disk.makeFolder(path)
  await writeDataKeys(disk, keyFile, { dataKey, olderDataKeys: [] })
  const checksum = crc32(organizationId).toString(16).padStart(8, '0')
  await disk.replace('/organization-id', Buffer.from(`${organizationId} ${checksum}\n`))
  const state = sealedStateFile(disk, new Keyring(organizationId, dataKey), '/')
  const document = firstDocument(organizationId)
  await state.replace(Buffer.from(JSON.stringify({ document, revokedTokenIds: [] })))
  const first = await new Life(disk, undefined, undefined, engineFolder).open()
  await first.write(kept, 'autogen', 1)
  await first.engine.flush()
  for (const number of [2, 3]) await first.write(kept, 'autogen', number)
  const second = await new Life(new MemoryDisk(disk), first.clock, first, engineFolder).open()
  for (const number of [4, 5, 6]) await second.write(kept, 'autogen', number)
  return second
}
