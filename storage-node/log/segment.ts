import { crc32 } from 'node:zlib'
import { decrypt, encrypt, nonceBytes, tagBytes } from '../crypto/keyring.ts'

/** The bytes of a log segment; `docs/formats/log.md` has the picture. All numbers are little-endian. */
const magic = Buffer.from('HFLOG001')
const fixedHeaderBytes = magic.length + 8 + 2
const checksumBytes = 4
const recordHeaderBytes = 24

/** More than any record has: a length beyond it is damage, not a reason to ask for memory. */
export const maxRecordBytes = 256 * 1024 * 1024

export interface SegmentHeader {
  readonly firstPosition: number
  readonly sealedKey: Uint8Array
  readonly sizeBytes: number
}

export function encodeHeader(firstPosition: number, sealedKey: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(fixedHeaderBytes + sealedKey.length + checksumBytes)
  magic.copy(bytes)
  bytes.writeBigUInt64LE(BigInt(firstPosition), magic.length)
  bytes.writeUInt16LE(sealedKey.length, magic.length + 8)
  bytes.set(sealedKey, fixedHeaderBytes)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, -checksumBytes)), bytes.length - checksumBytes)
  return bytes
}

/** @returns null if the bytes do not begin with a whole, undamaged header */
export function decodeHeader(segment: Uint8Array): SegmentHeader | null {
  const bytes = Buffer.from(segment.buffer, segment.byteOffset, segment.length)
  if (bytes.length < fixedHeaderBytes || !bytes.subarray(0, magic.length).equals(magic)) return null
  const keyLength = bytes.readUInt16LE(magic.length + 8)
  const end = fixedHeaderBytes + keyLength
  if (bytes.length < end + checksumBytes || crc32(bytes.subarray(0, end)) !== bytes.readUInt32LE(end))
    return null
  return {
    firstPosition: Number(bytes.readBigUInt64LE(magic.length)),
    sealedKey: bytes.subarray(fixedHeaderBytes, end),
    sizeBytes: end + checksumBytes,
  }
}

/** @param counter never used twice with one key, also for records that were never completed */
export function encodeRecord(
  key: Uint8Array,
  counter: number,
  position: number,
  payload: Uint8Array,
): Uint8Array {
  const bytes = Buffer.alloc(recordHeaderBytes + payload.length + tagBytes)
  bytes.writeUInt32LE(payload.length + tagBytes, 0)
  bytes.writeBigUInt64LE(BigInt(position), 8)
  bytes.writeBigUInt64LE(BigInt(counter), 16)
  const associated = bytes.subarray(8, recordHeaderBytes)
  bytes.set(encrypt(key, nonceOf(counter), associated, payload), recordHeaderBytes)
  bytes.writeUInt32LE(crc32(bytes.subarray(8), bytes.readUInt32LE(0)), 4)
  return bytes
}

export interface DecodedRecord {
  readonly position: number
  readonly payload: Uint8Array
  /** Where the next record begins. */
  readonly end: number
}

/** @returns null if there is no whole, undamaged record at `offset` */
export function decodeRecord(key: Uint8Array, segment: Uint8Array, offset: number): DecodedRecord | null {
  const bytes = Buffer.from(segment.buffer, segment.byteOffset, segment.length)
  if (offset + recordHeaderBytes > bytes.length) return null
  const length = bytes.readUInt32LE(offset)
  const start = offset + recordHeaderBytes
  const end = start + length
  if (length < tagBytes || length > maxRecordBytes || end > bytes.length) return null
  if (crc32(bytes.subarray(offset + 8, end), length) !== bytes.readUInt32LE(offset + 4)) return null
  const position = Number(bytes.readBigUInt64LE(offset + 8))
  const counter = Number(bytes.readBigUInt64LE(offset + 16))
  const associated = bytes.subarray(offset + 8, start)
  const payload = decrypt(key, nonceOf(counter), associated, bytes.subarray(start, end))
  return payload && { position, payload, end }
}

function nonceOf(counter: number): Uint8Array {
  const nonce = Buffer.alloc(nonceBytes)
  nonce.writeBigUInt64LE(BigInt(counter), 4)
  return nonce
}

/**
 * The synced length, kept beside the segment in two slots that are written in turn, so that one of them is whole
 * whatever happens. The greater valid one counts; it is never more than what a sync has covered.
 */
export const slotBytes = 16

export function encodeSlot(syncedBytes: number): Uint8Array {
  const bytes = Buffer.alloc(slotBytes)
  bytes.writeBigUInt64LE(BigInt(syncedBytes), 0)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 8)), 8)
  return bytes
}

/** @returns 0 if no slot is valid */
export function decodeSlots(content: Uint8Array): number {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.length)
  let best = 0
  for (let at = 0; at + slotBytes <= bytes.length && at < 2 * slotBytes; at += slotBytes) {
    const value = Number(bytes.readBigUInt64LE(at))
    if (crc32(bytes.subarray(at, at + 8)) === bytes.readUInt32LE(at + 8)) best = Math.max(best, value)
  }
  return best
}
