import { join } from 'node:path'
import { AppError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { hasCode, type Disk } from '../disk/disk.ts'
import { decodeHeader, decodeRecord, decodeSlots } from './segment.ts'
import { segmentName, segmentPurpose, segmentSuffix, syncedSuffix } from './segment-writer.ts'

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

/**
 * Hands every record after `checkpoint` to `apply`, in order, each when it is done with the one before. What lies above
 * the synced length of the last segment and is not whole was never acknowledged: it is cut off. Any other damage ends
 * the start.
 * @throws AppError corrupt, ERR_LOG_CORRUPT, naming file and offset
 */
export async function replaySegments(
  options: ReplayOptions,
  checkpoint: number,
  apply: (position: number, payload: Uint8Array) => unknown,
): Promise<SealedSegment[]> {
  const { disk, folder } = options
  const names = (await disk.list(folder)).filter((name) => name.endsWith(segmentSuffix))
  const segments: SealedSegment[] = []
  let expected = 1
  for (const [index, name] of names.entries()) {
    const isLast = index === names.length - 1
    // Segments up to the checkpoint may be gone; of what comes after it nothing may be missing.
    const first = Number.parseInt(name, 16)
    if (first > Math.max(expected, checkpoint + 1))
      throw corrupt(
        join(folder, name),
        0,
        `positions from ${Math.max(expected, checkpoint + 1)} on are missing`,
      )
    const segment = await replaySegment(options, name, isLast, async (position, payload) => {
      if (position > checkpoint) await apply(position, payload)
    })
    if (!segment) continue
    expected = segment.lastPosition + 1
    segments.push(segment)
  }
  return segments
}

/** @returns null if the segment held nothing and is gone */
async function replaySegment(
  options: ReplayOptions,
  name: string,
  isLast: boolean,
  apply: (position: number, payload: Uint8Array) => unknown,
): Promise<SealedSegment | null> {
  const { disk, folder, keyring } = options
  const path = join(folder, name)
  // A kill leaves records that no sync has covered; once they are replayed a loss of power must not take them. Segments
  // before the last were synced before the next was made.
  if (isLast) await syncFile(disk, path)
  const bytes = await disk.read(path)
  const syncedBytes = await readSynced(disk, path)
  if (bytes.length < syncedBytes)
    throw corrupt(path, bytes.length, `the file ends, ${syncedBytes} bytes were synced`)
  const header = decodeHeader(bytes)
  if (!header) {
    if (!isLast || syncedBytes > 0) throw corrupt(path, 0, 'the header is damaged')
    await removeSegment(disk, folder, name)
    return null
  }
  if (segmentName(header.firstPosition) !== name)
    throw corrupt(path, 0, `it begins at position ${header.firstPosition}, which is not its name`)
  const key = keyring.unseal(segmentPurpose(name), header.sealedKey)
  let offset = header.sizeBytes
  let position = header.firstPosition - 1
  while (offset < bytes.length) {
    const record = decodeRecord(key, bytes, offset)
    if (record?.position !== position + 1) {
      if (!isLast || offset < syncedBytes) throw corrupt(path, offset, 'the record is damaged')
      await cutTail(options, path, offset, bytes.length)
      break
    }
    position = record.position
    await apply(position, record.payload)
    offset = record.end
  }
  if (position < header.firstPosition) {
    // The next segment begins at the same position and so has the same name.
    await removeSegment(disk, folder, name)
    return null
  }
  return { name, firstPosition: header.firstPosition, lastPosition: position, sizeBytes: offset }
}

async function readSynced(disk: Disk, path: string): Promise<number> {
  try {
    return decodeSlots(await disk.read(path + syncedSuffix))
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 0
    throw error
  }
}

async function syncFile(disk: Disk, path: string): Promise<void> {
  const file = await disk.open(path)
  try {
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

function corrupt(path: string, offset: number, what: string): AppError {
  return new AppError('corrupt', 'ERR_LOG_CORRUPT', `${path} at offset ${offset}: ${what}`)
}
