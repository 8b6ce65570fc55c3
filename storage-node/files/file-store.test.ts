import { describe, expect, test } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { Keyring } from '../crypto/keyring.ts'
import { DamageList } from '../disk/damage.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { Catalog } from '../engine/catalog.ts'
import { FileStore } from './file-store.ts'
import type { FileEntry } from './manifest.ts'

/** Promise: the files in force are those of the last whole manifest; what it does not name is no file. */

const keyring = new Keyring('0123456789abcdef', new Uint8Array(32).fill(1))

async function open(
  disk: MemoryDisk,
  fatal: Error[] = [],
  damage = new DamageList(silentLogger),
): Promise<FileStore> {
  const onFatal = (error: Error) => fatal.push(error)
  return FileStore.open({ disk, dataFolder: '/data', keyring, log: silentLogger, damage, onFatal })
}

/** A file as a flush at `position` would have made it. */
async function adopted(
  disk: MemoryDisk,
  store: FileStore,
  position: number,
  databaseId = 'a',
): Promise<FileEntry> {
  const { name, temporaryPath } = store.newParquet()
  disk.files.set(temporaryPath, Buffer.from(`content of ${name}`))
  return {
    ...(await store.adopt(name, temporaryPath)),
    name,
    databaseId,
    retentionPolicy: 'autogen',
    measurement: 'm',
    firstPosition: position,
    lastPosition: position,
    rows: 1,
    seriesCount: 1,
    minSeries: 0,
    maxSeries: 0,
    minTimeNs: '0',
    maxTimeNs: '0',
    fields: [0],
    sealedKey: store.sealKey(name, new Uint8Array(32)),
  }
}

const namesOnDisk = async (disk: MemoryDisk): Promise<string[]> => disk.list('/data/files')
const namesOf = (store: FileStore): string[] => store.files.map(({ entry }) => entry.name)

describe('commits', () => {
  test('files count from the manifest on that names them, over a restart', async () => {
    const disk = new MemoryDisk()
    const store = await open(disk)
    const first = await adopted(disk, store, 1)
    await store.commit(1, [first], [])
    const second = await adopted(disk, store, 2)
    const again = await open(disk)
    expect([namesOf(again), again.checkpoint]).toEqual([[first.name], 1])
    expect(await namesOnDisk(disk)).toEqual([first.name])
    expect(second.name).not.toBe(first.name)
  })

  test('a full disk leaves everything as it was, and the next attempt succeeds', async () => {
    const disk = new MemoryDisk()
    const fatal: Error[] = []
    const store = await open(disk, fatal)
    const first = await adopted(disk, store, 1)
    disk.failNext('write', 'ENOSPC')
    await expect(store.commit(1, [first], [])).rejects.toThrow('ENOSPC')
    expect([namesOf(store), store.checkpoint, fatal, await namesOnDisk(disk)]).toEqual([[], 0, [], []])
    const second = await adopted(disk, store, 1)
    await store.commit(1, [second], [])
    expect(namesOf(await open(disk))).toEqual([second.name])
  })

  test('any other failure ends the process: nobody knows which manifest is in force', async () => {
    const disk = new MemoryDisk()
    const fatal: Error[] = []
    const store = await open(disk, fatal)
    const first = await adopted(disk, store, 1)
    disk.failNext('write', 'EIO')
    await expect(store.commit(1, [first], [])).rejects.toThrow('EIO')
    expect(fatal).toHaveLength(1)
    expect(await namesOnDisk(disk)).toEqual([first.name])
  })

  test('a folder whose sync finds no room is no full disk: the new manifest is there already', async () => {
    const disk = new MemoryDisk()
    const fatal: Error[] = []
    const store = await open(disk, fatal)
    const first = await adopted(disk, store, 1)
    disk.onStep = (step, path) => {
      if (step === 'sync-folder' && path === '/data')
        throw Object.assign(new Error('full'), { code: 'ENOSPC' })
    }
    await expect(store.commit(1, [first], [])).rejects.toThrow('full')
    disk.onStep = () => undefined
    expect(fatal).toHaveLength(1)
    expect(namesOf(await open(disk))).toEqual([first.name])
  })

  test('a file that is read stays on the disk until the read ends', async () => {
    const disk = new MemoryDisk()
    const store = await open(disk)
    const first = await adopted(disk, store, 1)
    await store.commit(1, [first], [])
    const release = store.pin(store.files)
    const second = await adopted(disk, store, 2)
    await store.commit(1, [second], [], new Set([first.name]))
    expect([namesOf(store), await namesOnDisk(disk)]).toEqual([[second.name], [first.name, second.name]])
    await release()
    expect(await namesOnDisk(disk)).toEqual([second.name])
  })

  test('a read that ends while the next manifest is written leaves what the old one names', async () => {
    const disk = new MemoryDisk()
    const store = await open(disk)
    const first = await adopted(disk, store, 1)
    await store.commit(1, [first], [])
    const release = store.pin(store.files)
    store.drop(() => true)
    const released: Promise<void>[] = []
    disk.onStep = (step) => {
      if (step === 'rename') {
        disk.onStep = () => undefined
        released.push(release())
        throw Object.assign(new Error('full'), { code: 'ENOSPC' })
      }
    }
    await expect(store.commit(1, [], [])).rejects.toThrow('full')
    await Promise.all(released)
    expect(await namesOnDisk(disk)).toEqual([first.name])
    expect(namesOf(await open(new MemoryDisk(disk)))).toEqual([first.name])
    await store.commit(1, [], [])
    expect(await namesOnDisk(disk)).toEqual([])
  })

  test('a database deleted while its files were being made does not come back', async () => {
    const disk = new MemoryDisk()
    const store = await open(disk)
    const catalog = new Catalog()
    catalog.addSeries('["m"]')
    const part = {
      databaseId: 'a',
      lastPosition: 3,
      firstSeries: 0,
      seriesCount: 1,
      firstField: 0,
      fieldCount: 0,
    }
    const old = await adopted(disk, store, 3)
    const dictionary = await store.writeDictionary(catalog, part)
    const kept = await adopted(disk, store, 3, 'b')
    store.deleteDatabase('a', 4)
    await store.commit(3, [old, kept], [dictionary])
    expect(namesOf(store)).toEqual([kept.name])
    const again = await open(disk)
    expect([namesOf(again), (await again.loadCatalogs()).size]).toEqual([[kept.name], 0])
    const reborn = await adopted(disk, store, 5)
    await store.commit(5, [reborn], [])
    expect(namesOf(store)).toEqual([kept.name, reborn.name])
  })
})

describe('the start', () => {
  test('a kill between the very first file and the first commit is no damage', async () => {
    const disk = new MemoryDisk()
    const store = await open(disk)
    await adopted(disk, store, 1)
    disk.powerLoss()
    const again = await open(disk)
    expect([namesOf(again), await namesOnDisk(disk)]).toEqual([[], []])
  })

  /** A store with one file and one dictionary, as a killed process leaves it. */
  async function written(): Promise<{ disk: MemoryDisk; path: string; dictionary: string }> {
    const disk = new MemoryDisk()
    const store = await open(disk)
    const catalog = new Catalog()
    catalog.addSeries('["m"]')
    const part = {
      databaseId: 'a',
      lastPosition: 1,
      firstSeries: 0,
      seriesCount: 1,
      firstField: 0,
      fieldCount: 0,
    }
    const first = await adopted(disk, store, 1)
    const dictionary = await store.writeDictionary(catalog, part)
    await store.commit(1, [first], [dictionary])
    return { disk, path: `/data/files/${first.name}`, dictionary: `/data/files/${dictionary.name}` }
  }

  test.each<[string, (disk: MemoryDisk, path: string) => void, string]>([
    ['missing', (disk, path) => disk.files.delete(path), 'it is missing'],
    ['shorter', (disk, path) => disk.files.set(path, Buffer.alloc(3)), 'it has 3 bytes, expected'],
  ])('a file that is %s is named, and nothing is removed any more', async (_, change, what) => {
    const { disk, path } = await written()
    disk.files.set('/data/files/orphan', Buffer.alloc(1))
    change(disk, path)
    const damage = new DamageList(silentLogger)
    const store = await open(disk, [], damage)
    expect(damage.found).toEqual([
      {
        file: path.replace('/data/', ''),
        offsetBytes: null,
        what: expect.stringContaining(what),
      },
    ])
    expect(namesOf(store)).toHaveLength(1)
    expect(disk.files.has('/data/files/orphan')).toBe(true)
  })

  test('a file with another content is found when it is looked at, and named', async () => {
    const { disk, path } = await written()
    disk.files.set(path, Buffer.from(disk.content(path)).reverse())
    const damage = new DamageList(silentLogger)
    const store = await open(disk, [], damage)
    expect(damage.isEmpty).toBe(true)
    expect(await store.isIntact(store.files[0]!)).toBe(false)
    expect(damage.found).toMatchObject([{ what: 'its content is not what was written' }])
  })

  test('a read that fails for another reason than the file is no damage', async () => {
    const { disk } = await written()
    const damage = new DamageList(silentLogger)
    const store = await open(disk, [], damage)
    disk.sha256 = () =>
      Promise.reject(Object.assign(new Error('EMFILE'), { code: 'EMFILE', syscall: 'open' }))
    await expect(store.isIntact(store.files[0]!)).rejects.toThrow('EMFILE')
    expect(damage.isEmpty).toBe(true)
  })

  test('a damaged dictionary costs its database alone', async () => {
    const { disk, dictionary } = await written()
    disk.content(dictionary)[20]! ^= 1
    const damage = new DamageList(silentLogger)
    const store = await open(disk, [], damage)
    await store.loadCatalogs()
    expect(damage.found).toMatchObject([{ file: dictionary.replace('/data/', ''), what: 'it is damaged' }])
    expect(() => store.requireComplete('a')).toThrow('not all series of the database are known')
    expect(() => store.requireComplete('b')).not.toThrow()
  })

  test('a manifest that is damaged or missing is taken from its copy, and is there again', async () => {
    for (const name of ['manifest', 'manifest.copy']) {
      const { disk } = await written()
      const whole = Buffer.from(disk.content(`/data/${name}`))
      for (let at = -1; at < whole.length; at++) {
        const content = Buffer.from(whole)
        if (at < 0) disk.files.delete(`/data/${name}`)
        else {
          content[at]! ^= 1
          disk.files.set(`/data/${name}`, content)
        }
        expect(namesOf(await open(disk)), `${name}, byte ${at}`).toHaveLength(1)
        expect(disk.content(`/data/${name}`).equals(whole)).toBe(true)
      }
    }
  })

  test('what only an older copy names is still there whenever the manifest is damaged', async () => {
    const { disk } = await written()
    const store = await open(disk)
    const second = await adopted(disk, store, 2)
    const stops: MemoryDisk[] = []
    disk.onStep = () => stops.push(new MemoryDisk(disk))
    await store.commit(2, [second], [], new Set(namesOf(store)))
    stops.push(new MemoryDisk(disk))
    expect(stops.length).toBeGreaterThan(8)
    for (const stop of stops) {
      stop.files.set('/data/manifest', Buffer.from('damaged'))
      const damage = new DamageList(silentLogger)
      const again = await open(stop, [], damage)
      expect([namesOf(again).length, damage.found]).toEqual([1, []])
    }
  })

  test('a copy for which there is no room is none, rather than an old one', async () => {
    const { disk } = await written()
    const store = await open(disk)
    const second = await adopted(disk, store, 2)
    disk.onStep = (step, path) => {
      if (step === 'write' && path.startsWith('/data/manifest.copy'))
        throw Object.assign(new Error('full'), { code: 'ENOSPC' })
    }
    await store.commit(2, [second], [], new Set(namesOf(store)))
    expect(disk.files.has('/data/manifest.copy')).toBe(false)
    disk.onStep = () => undefined
    expect(namesOf(await open(disk))).toEqual([second.name])
    expect(disk.files.has('/data/manifest.copy')).toBe(true)
  })

  test.each<[string, (disk: MemoryDisk, path: string) => void, string]>([
    ['are missing', (disk, path) => disk.files.delete(path), '/data/manifest: missing, yet there are files'],
    ['are damaged', (disk, path) => disk.content(path).fill(0, 20), '/data/manifest: '],
  ])('is refused when both manifests %s', async (_, change, message) => {
    const { disk } = await written()
    for (const name of ['manifest', 'manifest.copy']) change(disk, `/data/${name}`)
    await expect(open(disk)).rejects.toMatchObject({
      kind: 'corrupt',
      message: expect.stringContaining(message),
    })
  })
})
