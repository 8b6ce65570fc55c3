import { describe, expect, test } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { Keyring } from '../crypto/keyring.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { Catalog } from '../engine/catalog.ts'
import { FileStore } from './file-store.ts'
import type { FileEntry } from './manifest.ts'

/** Promise: the files in force are those of the last whole manifest; what it does not name is no file. */

const keyring = new Keyring('0123456789abcdef', new Uint8Array(32).fill(1))

async function open(disk: MemoryDisk, fatal: Error[] = []): Promise<FileStore> {
  const onFatal = (error: Error) => fatal.push(error)
  return FileStore.open({ disk, dataFolder: '/data', keyring, log: silentLogger, onFatal })
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

  test.each<[string, (disk: MemoryDisk, path: string) => void, string]>([
    ['a file is missing', (disk, path) => disk.files.delete(path), 'is missing'],
    ['a file is shorter', (disk, path) => disk.files.set(path, Buffer.alloc(3)), 'has 3 bytes'],
    [
      'the manifest is missing',
      (disk) => disk.files.delete('/data/manifest'),
      'missing, yet there are files',
    ],
    ['the manifest is damaged', (disk) => disk.content('/data/manifest').fill(0, 20), '/data/manifest: '],
  ])('is refused when %s', async (_, damage, message) => {
    const disk = new MemoryDisk()
    const store = await open(disk)
    const first = await adopted(disk, store, 1)
    await store.commit(1, [first], [])
    damage(disk, `/data/files/${first.name}`)
    await expect(open(disk)).rejects.toMatchObject({
      kind: 'corrupt',
      message: expect.stringContaining(message),
    })
  })
})
