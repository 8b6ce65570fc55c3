import { expect, test } from 'vitest'
import { Catalog } from '../engine/catalog.ts'
import { seriesKey } from '../line-protocol/series-key.ts'
import { encodeDictionary, loadDictionary } from './dictionary.ts'
import type { DictionaryEntry } from './manifest.ts'

/** Promise: series and fields come back as they were written, or the file is named. */

const key = new Uint8Array(32).fill(1)
const entry: DictionaryEntry = {
  name: '0000000000000002.dictionary',
  databaseId: 'a'.repeat(16),
  lastPosition: 1,
  firstSeries: 0,
  seriesCount: 2,
  firstField: 0,
  fieldCount: 1,
  sealedKey: '',
}

function written(): Uint8Array {
  const catalog = new Catalog()
  catalog.addSeries(seriesKey('cpu', [['host', 'secret_host']]))
  catalog.addSeries(seriesKey('cpu', [['host', 'b']]))
  catalog.addField('cpu', 'usage', 'float')
  return encodeDictionary(catalog, entry, key)
}

test('comes back as it was, and shows nothing', () => {
  const bytes = written()
  const catalog = new Catalog()
  loadDictionary(catalog, entry, bytes, key)
  expect(catalog.seriesKeys(0, 9, 12)).toEqual(['["cpu","host","secret_host"]', '["cpu","host","b"]'])
  expect(catalog.fieldList(0, 9, 12)).toEqual([['cpu', 'usage', 'float']])
  expect(Buffer.from(bytes).includes('secret_host')).toBe(false)
})

test('every flipped bit and every cut is refused, naming the file', () => {
  const bytes = written()
  for (let at = 0; at < bytes.length; at++) {
    const changed = Uint8Array.from(bytes)
    changed[at]! ^= 1 << (at % 8)
    for (const bad of [changed, bytes.subarray(0, at)]) {
      const load = () => loadDictionary(new Catalog(), entry, bad, key)
      expect(load, `byte ${at}`).toThrow(`${entry.name}: damaged`)
    }
  }
})

test('one in the place of another is refused', () => {
  const later = { ...entry, firstSeries: 2 }
  expect(() => loadDictionary(new Catalog(), later, written(), key)).toThrow('not what the manifest says')
})
