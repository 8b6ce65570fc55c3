import { randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { AppError } from '../common/errors.ts'
import { isId } from '../common/ids.ts'
import type { Logger } from '../common/log.ts'
import { mintToken } from '../common/token.ts'
import { keyBytes } from './crypto/keyring.ts'
import { readDataKeys, writeDataKeys, type DataKeys } from './data-key-file.ts'
import { hasCode, type Disk } from './disk/disk.ts'
import { adminTokenState, firstDocument, newId } from './state/alone.ts'
import type { StateStore } from './state/state-store.ts'

/** What a node that runs alone makes on its first start and finds again on every later one. */
export interface OwnIdentity extends DataKeys {
  readonly organizationId: string
}

/**
 * Finds or makes the data key and the organization id. The key lies beside the data folder, not in it, so that a copy
 * of the folder alone is unreadable.
 */
export async function ownIdentity(
  disk: Disk,
  dataDir: string,
  keyFile: string,
  log: Logger,
): Promise<OwnIdentity> {
  const idFile = join(dataDir, 'organization-id')
  const organizationId = await readOrganizationId(disk, idFile)
  if (!(await disk.exists(keyFile))) {
    if (organizationId !== null) {
      throw new AppError(
        'invalid',
        'ERR_DATA_KEY_FILE',
        `${keyFile} is missing: ${dataDir} cannot be read without it`,
      )
    }
    await disk.makeFolder(dirname(keyFile))
    await writeDataKeys(disk, keyFile, { dataKey: randomBytes(keyBytes), olderDataKeys: [] })
    log.info({ file: keyFile }, 'made the data key: keep a copy, the data cannot be read without it')
  }
  const keys = await readDataKeys(disk, keyFile)
  await disk.makeFolder(dataDir)
  // A kill may have left files that are not durable yet; what is written with them must not outlive them. The id comes
  // after the key is durable.
  await disk.syncFolder(dirname(keyFile))
  if (organizationId !== null) {
    await disk.syncFolder(dataDir)
    return { organizationId, ...keys }
  }
  const made = newId()
  await disk.replace(idFile, Buffer.from(idLine(made)))
  return { organizationId: made, ...keys }
}

/** The id and its checksum: another id would only be found out by what does not open with it. */
const idLine = (id: string): string => `${id} ${crc32(id).toString(16).padStart(8, '0')}\n`

/** @returns null if there is none @throws AppError corrupt, ERR_ORGANIZATION_ID_FILE */
export async function readOrganizationId(disk: Disk, file: string): Promise<string | null> {
  try {
    const text = Buffer.from(await disk.read(file)).toString('latin1')
    const id = text.slice(0, text.indexOf(' '))
    if (isId(id) && text === idLine(id)) return id
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null
    throw error
  }
  const text = `${file} is damaged: 16 lower-case hex digits and their CRC-32 expected`
  throw new AppError('corrupt', 'ERR_ORGANIZATION_ID_FILE', text)
}

/**
 * Puts the node's own document in force, the first one on the first start, and with authentication one with a token
 * that may do everything. The token is in a file that only the node's own user can read; nothing else holds it. The
 * document comes into force once and whole, so that a node that says it is ready knows its tokens.
 */
export async function serveOwnDocument(
  store: StateStore,
  organizationId: string,
  admin: { readonly disk: Disk; readonly tokenFile: string; readonly log: Logger } | null,
): Promise<void> {
  const document = store.kept ?? firstDocument(organizationId)
  if (admin === null || document.tokens.length > 0) {
    await store.replace('', document)
    return
  }
  const token = mintToken(organizationId)
  await admin.disk.replace(admin.tokenFile, Buffer.from(`${token}\n`))
  admin.log.info({ file: admin.tokenFile }, 'made the first admin token: the file holds it')
  await store.replace('', { ...document, tokens: [adminTokenState(token)] })
}
