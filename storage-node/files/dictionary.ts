import { randomBytes } from 'node:crypto'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { AppError } from '../../common/errors.ts'
import { decrypt, encrypt, nonceBytes } from '../crypto/keyring.ts'
import type { Catalog } from '../engine/catalog.ts'
import type { FieldType } from '../engine/reader.ts'
import type { DictionaryEntry } from './manifest.ts'

/**
 * A dictionary file: the series and fields that a database gained since the file before, of those that were dropped up
 * to the entry's `lastPosition` an empty key or name. JSON
 * `{"series": [key, …], "fields": [[measurement, field, type], …]}`, zstd, AES-256-GCM under a key of its own: nonce,
 * ciphertext, tag.
 */
interface Content {
  readonly series: readonly string[]
  readonly fields: readonly (readonly [measurement: string, field: string, type: FieldType])[]
}

/** What one file holds at most: the start has the text of one file in memory at a time. */
export const maxSeriesPerDictionary = 50_000

/** The key is this one file's, so it says already which file it is. */
const associated = new Uint8Array(0)

/** @param key the file's own, never used before */
export function encodeDictionary(catalog: Catalog, entry: DictionaryEntry, key: Uint8Array): Uint8Array {
  const content: Content = {
    series: catalog.seriesKeys(entry.firstSeries, entry.firstSeries + entry.seriesCount, entry.lastPosition),
    fields: catalog.fieldList(entry.firstField, entry.firstField + entry.fieldCount, entry.lastPosition),
  }
  const nonce = randomBytes(nonceBytes)
  return Buffer.concat([nonce, encrypt(key, nonce, associated, zstdCompressSync(JSON.stringify(content)))])
}

/**
 * Adds what the file holds to the catalog that the files before it made.
 * @throws AppError corrupt, ERR_DICTIONARY_CORRUPT
 */
export function loadDictionary(
  catalog: Catalog,
  entry: DictionaryEntry,
  bytes: Uint8Array,
  key: Uint8Array,
): void {
  const plain = decrypt(key, bytes.subarray(0, nonceBytes), associated, bytes.subarray(nonceBytes))
  if (!plain) throw corrupt(entry, 'damaged')
  const content = JSON.parse(zstdDecompressSync(plain).toString()) as Content
  const fits =
    catalog.seriesCount === entry.firstSeries &&
    catalog.fieldCount === entry.firstField &&
    content.series.length === entry.seriesCount &&
    content.fields.length === entry.fieldCount
  if (!fits) throw corrupt(entry, 'not what the manifest says it is')
  for (const key of content.series) catalog.addSeries(key)
  for (const [measurement, field, type] of content.fields) catalog.addField(measurement, field, type)
}

/** Is it what was written under the key? */
export function isDictionaryWhole(bytes: Uint8Array, key: Uint8Array): boolean {
  return decrypt(key, bytes.subarray(0, nonceBytes), associated, bytes.subarray(nonceBytes)) !== null
}

function corrupt({ name }: DictionaryEntry, what: string): AppError {
  return new AppError('corrupt', 'ERR_DICTIONARY_CORRUPT', `${name}: ${what}`)
}
