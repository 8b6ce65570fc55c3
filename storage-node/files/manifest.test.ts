import { expect, test } from 'vitest'
import { Keyring } from '../crypto/keyring.ts'
import { decodeManifest, emptyManifest, encodeManifest, type Manifest } from './manifest.ts'

/** Promise: the manifest in force is exactly the one that was written, or the start is refused. */

const keyring = new Keyring('0123456789abcdef', new Uint8Array(32).fill(1))
const manifest: Manifest = {
  checkpoint: 12,
  nextFile: 3,
  files: [
    {
      name: '0000000000000001.parquet',
      databaseId: 'a'.repeat(16),
      retentionPolicy: 'autogen',
      measurement: 'secret_name',
      firstPosition: 1,
      lastPosition: 12,
      rows: 5,
      seriesCount: 2,
      minSeries: 0,
      maxSeries: 1,
      minTimeNs: '-9223372036854775806',
      maxTimeNs: '9223372036854775806',
      fields: [0, 3],
      sizeBytes: 100,
      sha256: 'ab'.repeat(32),
      sealedKey: 'AAAA',
    },
  ],
  dictionaries: [
    {
      name: '0000000000000002.dictionary',
      databaseId: 'a'.repeat(16),
      lastPosition: 12,
      firstSeries: 0,
      seriesCount: 2,
      firstField: 0,
      fieldCount: 4,
      sealedKey: 'AAAA',
    },
  ],
  tombstones: [
    {
      position: 12,
      databaseId: 'a'.repeat(16),
      retentionPolicy: null,
      measurement: 'secret_name',
      series: [0, 0, 4, 9],
      minTimeNs: '-9223372036854775808',
      maxTimeNs: '12',
    },
  ],
}

test.each([manifest, emptyManifest])('comes back as it was', (each) => {
  expect(decodeManifest(encodeManifest(each, keyring), keyring, '/data/manifest')).toEqual(each)
})

test('shows no name', () => {
  expect(Buffer.from(encodeManifest(manifest, keyring)).includes('secret_name')).toBe(false)
})

test('every flipped bit and every cut is refused, naming the file', () => {
  const bytes = encodeManifest(manifest, keyring)
  for (let at = 0; at < bytes.length; at++) {
    const changed = Uint8Array.from(bytes)
    changed[at]! ^= 0x10
    expect(() => decodeManifest(changed, keyring, '/data/manifest'), `byte ${at}`).toThrow('/data/manifest: ')
    expect(() => decodeManifest(bytes.subarray(0, at), keyring, '/data/manifest')).toThrow('/data/manifest: ')
  }
})

test('another data key is told as such', () => {
  const other = new Keyring('0123456789abcdef', new Uint8Array(32).fill(2))
  expect(() => decodeManifest(encodeManifest(manifest, keyring), other, '/data/manifest')).toThrow(
    expect.objectContaining({ code: 'ERR_DATA_KEY_WRONG' }),
  )
})
