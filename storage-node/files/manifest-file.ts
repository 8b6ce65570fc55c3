import { join } from 'node:path'
import { AppError, messageOf } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { hasCode, isFull, type Disk } from '../disk/disk.ts'
import { decodeManifest, encodeManifest, type Manifest } from './manifest.ts'

const manifestName = 'manifest'
const copyName = 'manifest.copy'

export interface ManifestFolder {
  readonly disk: Disk
  readonly dataFolder: string
  readonly keyring: Keyring
  readonly log: Logger
}

/**
 * The manifest in force. Damage to one of its two copies costs nothing: what the other one names is still there, for
 * both are written before anything goes that only the older one names.
 * @returns null if there is none
 * @throws AppError corrupt, ERR_MANIFEST_CORRUPT if neither can be read; invalid, ERR_DATA_KEY_WRONG
 */
export async function readManifest(folder: ManifestFolder): Promise<Manifest | null> {
  const { disk, dataFolder } = folder
  // A kill may have left one that is not durable yet; what it does not name is about to be removed for good.
  await disk.syncFolder(dataFolder)
  const content = await contentOf(folder, manifestName)
  const copy = await contentOf(folder, copyName)
  if (content === null && copy === null) return null
  const found = decode(folder, manifestName, content)
  if (found instanceof AppError) return takeCopy(folder, copy, found)
  if (!(copy instanceof Buffer && copy.equals(found.bytes))) await replaceCopy(folder, found.bytes)
  return found.manifest
}

async function takeCopy(folder: ManifestFolder, content: Content, damage: AppError): Promise<Manifest> {
  const { disk, dataFolder, log } = folder
  const copy = decode(folder, copyName, content)
  if (copy instanceof AppError) throw damage
  log.error({ file: manifestName, reason: damage.message }, 'the copy of the manifest is taken')
  try {
    await disk.replace(join(dataFolder, manifestName), copy.bytes)
  } catch (error) {
    // The next manifest will be whole; until then the copy does as well.
    if (!isFull(error)) throw error
  }
  return copy.manifest
}

/** Puts a manifest in force. Errors as of `Disk.replace`. */
export async function replaceManifest(folder: ManifestFolder, manifest: Manifest): Promise<Uint8Array> {
  const bytes = encodeManifest(manifest, folder.keyring)
  await folder.disk.replace(join(folder.dataFolder, manifestName), bytes)
  return bytes
}

/**
 * Makes the copy the same as the manifest in force; where there is no room, there is none. To be done before anything
 * is removed that the manifest before named.
 */
export async function replaceCopy(folder: ManifestFolder, bytes: Uint8Array): Promise<void> {
  const { disk, dataFolder, log } = folder
  try {
    await disk.replace(join(dataFolder, copyName), bytes)
  } catch (error) {
    if (!isFull(error)) throw error
    log.warn({ reason: messageOf(error) }, 'no room for the copy of the manifest')
    await disk.remove(join(dataFolder, copyName))
    await disk.syncFolder(dataFolder)
  }
}

/** null: no such file; broken: the device cannot read it. */
type Content = Buffer | 'broken' | null

async function contentOf({ disk, dataFolder }: ManifestFolder, name: string): Promise<Content> {
  try {
    return Buffer.from(await disk.read(join(dataFolder, name)))
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null
    if (hasCode(error, 'EIO')) return 'broken'
    throw error
  }
}

/** @returns what is wrong with it, if it is no manifest */
function decode(
  { dataFolder, keyring }: ManifestFolder,
  name: string,
  content: Content,
): { readonly bytes: Buffer; readonly manifest: Manifest } | AppError {
  const path = join(dataFolder, name)
  const corrupt = (what: string) => new AppError('corrupt', 'ERR_MANIFEST_CORRUPT', `${path}: ${what}`)
  if (content === null) return corrupt('it is missing')
  if (content === 'broken') return corrupt('it cannot be read')
  try {
    return { bytes: content, manifest: decodeManifest(content, keyring, path) }
  } catch (error) {
    if (error instanceof AppError && error.kind === 'corrupt') return error
    throw error
  }
}
