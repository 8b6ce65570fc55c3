import * as z from 'zod'
import { crc32 } from 'node:zlib'
import { AppError } from '../../common/errors.ts'
import type { Keyring } from '../crypto/keyring.ts'

/**
 * Which files there are and what they hold, replaced as a whole at each flush. Everything up to position `checkpoint`
 * of the log is in the files it names.
 */
const integer = z.int().nonnegative()
const int64 = z.string().regex(/^-?[0-9]{1,19}$/)

export const fileEntrySchema = z.strictObject({
  name: z.string().regex(/^[0-9a-f]{16}\.parquet$/),
  databaseId: z.string(),
  retentionPolicy: z.string(),
  measurement: z.string(),
  firstPosition: integer,
  lastPosition: integer,
  /** Deletes up to this position are done with in the file; without it, those up to `lastPosition`. */
  deletedThrough: integer.optional(),
  rows: integer,
  seriesCount: integer,
  minSeries: integer,
  maxSeries: integer,
  minTimeNs: int64,
  maxTimeNs: int64,
  /** Numbers of the measurement's fields that the file has. */
  fields: z.array(integer),
  sizeBytes: integer,
  /** Of all its strings as UTF-8, not compressed; files of older versions are without it. */
  stringBytes: integer.optional(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** The file's own key, sealed, base64. */
  sealedKey: z.base64(),
})

const dictionaryEntrySchema = z.strictObject({
  name: z.string().regex(/^[0-9a-f]{16}\.dictionary$/),
  databaseId: z.string(),
  lastPosition: integer,
  firstSeries: integer,
  seriesCount: integer,
  firstField: integer,
  fieldCount: integer,
  sealedKey: z.base64(),
})

const tombstoneSchema = z.strictObject({
  position: integer,
  databaseId: z.string(),
  retentionPolicy: z.string().nullable(),
  measurement: z.string().nullable(),
  series: z.array(integer).readonly().nullable(),
  minTimeNs: int64,
  maxTimeNs: int64,
})

const manifestSchema = z.strictObject({
  checkpoint: integer,
  nextFile: integer,
  files: z.array(fileEntrySchema),
  dictionaries: z.array(dictionaryEntrySchema),
  /** Deletes that files may not have seen yet, see `engine/tombstones.ts`. */
  tombstones: z.array(tombstoneSchema).default([]),
})

export type FileEntry = Readonly<z.infer<typeof fileEntrySchema>>
export type TombstoneEntry = Readonly<z.infer<typeof tombstoneSchema>>
export type DictionaryEntry = Readonly<z.infer<typeof dictionaryEntrySchema>>

/** Text takes about a third of its bytes in a file. */
const textCompression = 3

/** What the strings of a file take in memory, about. */
export const stringBytesOf = ({
  stringBytes,
  sizeBytes,
}: Pick<FileEntry, 'stringBytes' | 'sizeBytes'>): number => stringBytes ?? textCompression * sizeBytes

/** A file may hold so many bytes of strings: a read has at least one file's in memory. */
export const maxStringBytesPerFile = 16 * 1024 * 1024

/** A file may have so many fields: each takes tens of kilobytes of the query process while the file is written, however few rows it has. */
export const maxFieldsPerFile = 1_000

export interface Manifest {
  readonly checkpoint: number
  /** The number that the next file takes for its name. */
  readonly nextFile: number
  readonly files: readonly FileEntry[]
  /** In the order in which they are to be read. */
  readonly dictionaries: readonly DictionaryEntry[]
  readonly tombstones: readonly TombstoneEntry[]
}

export const emptyManifest: Manifest = {
  checkpoint: 0,
  nextFile: 1,
  files: [],
  dictionaries: [],
  tombstones: [],
}

/** Dictionaries in the order in which they are to be read. */
export const inOrder = (dictionaries: readonly DictionaryEntry[]): DictionaryEntry[] =>
  dictionaries.toSorted((a, b) => a.firstSeries - b.firstSeries || a.firstField - b.firstField)

const magic = Buffer.from('HFMAN001')
const headerBytes = magic.length + 8
const purpose = 'manifest'

/** Magic (8), length of the sealed part (4), its CRC-32 (4), the sealed part: JSON under the organization's key. */
export function encodeManifest(manifest: Manifest, keyring: Keyring): Uint8Array {
  const sealed = keyring.seal(purpose, Buffer.from(JSON.stringify(manifest)))
  const header = Buffer.alloc(headerBytes)
  magic.copy(header)
  header.writeUInt32LE(sealed.length, magic.length)
  header.writeUInt32LE(crc32(sealed), magic.length + 4)
  return Buffer.concat([header, sealed])
}

/** @throws AppError corrupt, ERR_MANIFEST_CORRUPT; invalid, ERR_DATA_KEY_WRONG */
export function decodeManifest(content: Uint8Array, keyring: Keyring, path: string): Manifest {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.length)
  if (bytes.length < headerBytes || !bytes.subarray(0, magic.length).equals(magic))
    throw corrupt(path, 'it is no manifest')
  const sealed = bytes.subarray(headerBytes)
  if (sealed.length !== bytes.readUInt32LE(magic.length)) throw corrupt(path, 'its length is wrong')
  if (crc32(sealed) !== bytes.readUInt32LE(magic.length + 4)) throw corrupt(path, 'its checksum is wrong')
  const plain = keyring.unseal(purpose, sealed)
  const parsed = manifestSchema.safeParse(JSON.parse(Buffer.from(plain).toString()))
  if (!parsed.success) throw corrupt(path, 'this version does not know its form')
  return parsed.data
}

function corrupt(path: string, what: string): AppError {
  return new AppError('corrupt', 'ERR_MANIFEST_CORRUPT', `${path}: ${what}`)
}
