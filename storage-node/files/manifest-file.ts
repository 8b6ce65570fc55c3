import { join } from 'node:path'
import { AppError, messageOf } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { hasCode, type Disk } from '../disk/disk.ts'
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
  const { disk, dataFolder, log } = folder
  // A kill may have left one that is not durable yet; what it does not name is about to be removed for good.
  await disk.syncFolder(dataFolder)
  const found = await readOne(folder, manifestName)
  const copy = await readOne(folder, copyName)
  if (!found && !copy) return null
  if (found && 'manifest' in found) {
    if (!copy || !('manifest' in copy) || !copy.bytes.equals(found.bytes))
      await replaceCopy(folder, found.bytes)
    return found.manifest
  }
  if (copy && 'manifest' in copy) {
    log.error({ file: manifestName }, 'the manifest is damaged or missing: its copy is taken')
    await replaceUnlessFull(folder, copy.bytes)
    return copy.manifest
  }
  throw found?.damage ?? copy!.damage
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

type Read =
  | { readonly bytes: Buffer; readonly manifest: Manifest }
  /** Why it is none. */
  | { readonly damage: AppError }

/** @returns null if there is no such file */
async function readOne({ disk, dataFolder, keyring }: ManifestFolder, name: string): Promise<Read | null> {
  const path = join(dataFolder, name)
  try {
    const bytes = Buffer.from(await disk.read(path))
    return { bytes, manifest: decodeManifest(bytes, keyring, path) }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null
    if (error instanceof AppError && error.kind === 'corrupt') return { damage: error }
    if (!hasCode(error, 'EIO')) throw error
    const text = `${path}: it cannot be read`
    return { damage: new AppError('corrupt', 'ERR_MANIFEST_CORRUPT', text, { cause: error }) }
  }
}

/** The next manifest will be whole; until then the copy does as well. */
async function replaceUnlessFull({ disk, dataFolder }: ManifestFolder, bytes: Uint8Array): Promise<void> {
  try {
    await disk.replace(join(dataFolder, manifestName), bytes)
  } catch (error) {
    if (!isFull(error)) throw error
  }
}

function isFull(error: unknown): boolean {
  return hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT')
}
