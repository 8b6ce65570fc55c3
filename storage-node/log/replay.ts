import { join } from 'node:path'
import type { FileDamage } from '../../common/admin-api.ts'
import { AppError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { hasCode, type Disk } from '../disk/disk.ts'
import { decodeHeader, decodeRecord, decodeSlots } from './segment.ts'
import { segmentName, segmentPurpose, segmentSuffix, syncedSuffix } from './segment-writer.ts'

/** The log's folder below the engine's. */
export const logFolder = 'log'

export interface ReplayOptions {
  readonly disk: Disk
  readonly folder: string
  readonly keyring: Keyring
  readonly log: Logger
}

/** A segment that is complete: nothing is appended to it any more. */
export interface SealedSegment {
  readonly name: string
  readonly firstPosition: number
  readonly lastPosition: number
  readonly sizeBytes: number
}

/** What a replay has found. It changes nothing on the disk. */
export interface Replayed {
  /** Whole segments that hold records, oldest first. */
  readonly segments: readonly SealedSegment[]
  readonly lastPosition: number
  /** What ended the replay early. All that lies behind it is untouched. */
  readonly damage: FileDamage | null
  /** Removes what was begun and never acknowledged. */
  cleanUp(): Promise<void>
}

/**
 * Hands every record after `checkpoint` to `apply`, in order, each when it is done with the one before. What lies above
 * the synced length of the last segment and is not whole was never acknowledged: it is to be cut off. Any other damage
 * ends the replay.
 */
export async function replaySegments(
  options: ReplayOptions,
  checkpoint: number,
  apply: (position: number, payload: Uint8Array) => unknown,
): Promise<Replayed> {
  const names = (await options.disk.list(options.folder)).filter((name) => name.endsWith(segmentSuffix))
  const segments: SealedSegment[] = []
  const cleanUps: (() => Promise<void>)[] = []
  let lastPosition = 0
  const found = (damage: FileDamage | null): Replayed => ({
    segments,
    lastPosition,
    damage,
    async cleanUp() {
      for (const cleanUp of cleanUps) await cleanUp()
    },
  })
  for (const [index, name] of names.entries()) {
    const isLast = index === names.length - 1
    // Segments up to the checkpoint may be gone; of what comes after it nothing may be missing.
    const expected = Math.max(lastPosition, checkpoint) + 1
    if (Number.parseInt(name, 16) > expected)
      return found(damaged(name, 0, `positions from ${expected} on are missing`))
    const replayed = await replaySegment(options, name, isLast, async (position, payload) => {
      if (position > checkpoint) await apply(position, payload)
      lastPosition = position
    })
    if (replayed.damage) return found(replayed.damage)
    if (replayed.segment) segments.push(replayed.segment)
    if (replayed.cleanUp) cleanUps.push(replayed.cleanUp)
  }
  return found(null)
}

/**
 * Reads a complete segment through.
 * @param visit is waited for at each record
 */
export async function damageOfSegment(
  options: ReplayOptions,
  name: string,
  visit: () => Promise<unknown>,
): Promise<FileDamage | null> {
  return (await replaySegment(options, name, false, visit)).damage
}

interface ReplayedSegment {
  /** null if it held no record. */
  readonly segment: SealedSegment | null
  readonly damage: FileDamage | null
  readonly cleanUp: (() => Promise<void>) | null
}

async function replaySegment(
  options: ReplayOptions,
  name: string,
  isLast: boolean,
  apply: (position: number, payload: Uint8Array) => unknown,
): Promise<ReplayedSegment> {
  const { disk, folder } = options
  const path = join(folder, name)
  const ended = (offset: number, what: string): ReplayedSegment => ({
    segment: null,
    damage: damaged(name, offset, what),
    cleanUp: null,
  })
  // The next segment begins at the same position and so has the same name.
  const empty = { segment: null, damage: null, cleanUp: () => removeSegment(disk, folder, name) }
  const bytes = await readUnlessBroken(disk, path)
  if (!bytes) return ended(0, 'it cannot be read')
  const syncedBytes = await readSynced(disk, path)
  if (bytes.length < syncedBytes)
    return ended(bytes.length, `the file ends, ${syncedBytes} bytes were synced`)
  // A kill leaves records that no sync has covered; once they are replayed a loss of power must not take them. Segments
  // before the last were synced before the next was made.
  if (isLast) await makeDurable(disk, path, bytes, syncedBytes)
  const header = decodeHeader(bytes)
  if (!header) return !isLast || syncedBytes > 0 ? ended(0, 'the header is damaged') : empty
  const { firstPosition } = header
  if (segmentName(firstPosition) !== name)
    return ended(0, `it begins at position ${firstPosition}, which is not its name`)
  const key = unsealKey(options.keyring, name, header.sealedKey)
  if (!key) return ended(0, 'the sealed key is damaged')
  let offset = header.sizeBytes
  let position = firstPosition - 1
  let cleanUp: (() => Promise<void>) | null = null
  while (offset < bytes.length) {
    const record = decodeRecord(key, bytes, offset)
    if (record?.position !== position + 1) {
      if (!isLast || offset < syncedBytes) return ended(offset, 'the record is damaged')
      const torn = offset
      cleanUp = () => cutTail(options, path, torn, bytes.length)
      break
    }
    position = record.position
    await apply(position, record.payload)
    offset = record.end
  }
  if (position < firstPosition) return empty
  return {
    segment: { name, firstPosition, lastPosition: position, sizeBytes: offset },
    damage: null,
    cleanUp,
  }
}

/** @returns null if the device cannot read it */
async function readUnlessBroken(disk: Disk, path: string): Promise<Uint8Array | null> {
  try {
    return await disk.read(path)
  } catch (error) {
    if (hasCode(error, 'EIO')) return null
    throw error
  }
}

/** @returns null if it is damaged @throws AppError invalid, ERR_DATA_KEY_WRONG */
function unsealKey(keyring: Keyring, name: string, sealedKey: Uint8Array): Uint8Array | null {
  try {
    return keyring.unseal(segmentPurpose(name), sealedKey)
  } catch (error) {
    if (error instanceof AppError && error.kind === 'corrupt') return null
    throw error
  }
}

async function readSynced(disk: Disk, path: string): Promise<number> {
  try {
    return decodeSlots(await disk.read(path + syncedSuffix))
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 0
    throw error
  }
}

/**
 * Syncs a file. What lies above its synced length is written once more: if a sync of it failed, the system holds it to be
 * clean, and no other sync would write it.
 */
async function makeDurable(disk: Disk, path: string, bytes: Uint8Array, syncedBytes: number): Promise<void> {
  const file = await disk.open(path)
  try {
    if (bytes.length > syncedBytes) await file.write(bytes.subarray(syncedBytes), syncedBytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function cutTail(
  options: ReplayOptions,
  path: string,
  offset: number,
  sizeBytes: number,
): Promise<void> {
  options.log.warn({ file: path, offset, cutBytes: sizeBytes - offset }, 'torn tail of the log cut')
  const file = await options.disk.open(path)
  try {
    await file.truncate(offset)
    await file.sync()
  } finally {
    await file.close()
  }
}

export async function removeSegment(disk: Disk, folder: string, name: string): Promise<void> {
  // The segment goes first: a synced length without a segment means nothing, a segment without one is less guarded.
  await disk.remove(join(folder, name))
  await disk.syncFolder(folder)
  await disk.remove(join(folder, name + syncedSuffix))
}

function damaged(name: string, offsetBytes: number, what: string): FileDamage {
  return { file: join(logFolder, name), offsetBytes, what }
}
