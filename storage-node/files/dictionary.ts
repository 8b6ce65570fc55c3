import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { AppError } from '../../common/errors.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { Catalog } from '../engine/catalog.ts'
import type { FieldType } from '../engine/reader.ts'
import type { DictionaryEntry } from './manifest.ts'

/**
 * A dictionary file: the series and fields that a database gained since the file before. JSON
 * `{"series": [key, …], "fields": [[measurement, field, type], …]}`, zstd, sealed for its name.
 */
interface Content {
  readonly series: readonly string[]
  readonly fields: readonly (readonly [measurement: string, field: string, type: FieldType])[]
}

/** What one file holds at most: its text has to fit into a string. */
export const maxSeriesPerDictionary = 200_000

const purposeOf = (name: string): string => `dictionary/${name}`

export function encodeDictionary(catalog: Catalog, entry: DictionaryEntry, keyring: Keyring): Uint8Array {
  const content: Content = {
    series: catalog.seriesKeys(entry.firstSeries, entry.firstSeries + entry.seriesCount),
    fields: catalog.fieldList(entry.firstField, entry.firstField + entry.fieldCount),
  }
  return keyring.seal(purposeOf(entry.name), zstdCompressSync(JSON.stringify(content)))
}

/**
 * Adds what the file holds to the catalog that the files before it made.
 * @throws AppError corrupt, ERR_DICTIONARY_CORRUPT
 */
export function loadDictionary(
  catalog: Catalog,
  entry: DictionaryEntry,
  bytes: Uint8Array,
  keyring: Keyring,
): void {
  const plain = zstdDecompressSync(keyring.unseal(purposeOf(entry.name), bytes))
  const content = JSON.parse(plain.toString()) as Content
  const fits =
    catalog.seriesCount === entry.firstSeries &&
    catalog.fieldCount === entry.firstField &&
    content.series.length === entry.seriesCount &&
    content.fields.length === entry.fieldCount
  if (!fits) {
    throw new AppError('corrupt', 'ERR_DICTIONARY_CORRUPT', `${entry.name}: not what the manifest says it is`)
  }
  for (const key of content.series) catalog.addSeries(key)
  for (const [measurement, field, type] of content.fields) catalog.addField(measurement, field, type)
}
