import { describe, expect, test } from 'vitest'
import { pageBytes, type Inode } from './inode.ts'
import { Random } from './random.ts'
import { Storage } from './storage.ts'

/** Promise: the disk of the simulation keeps what a disk promises, and of all else may lose any part. */
const seeds = Array.from({ length: 200 }, (_, seed) => seed)
const page = (letter: string): Buffer => Buffer.alloc(pageBytes, letter)

/** What a loss of power leaves, under many seeds; null if the file is gone. */
function left(prepare: (storage: Storage, random: Random) => void, path = '/d/a'): Set<string | null> {
  return new Set(
    seeds.map((seed) => {
      const random = new Random(seed)
      const storage = new Storage()
      prepare(storage, random)
      storage.losePower(random)
      return storage.inode(path)?.content.toString() ?? null
    }),
  )
}

function synced(storage: Storage, text: string): Inode {
  const inode = storage.create('/d/a')
  inode.write(Buffer.from(text), 0)
  inode.sync()
  storage.syncFolder('/d')
  return inode
}

describe('a loss of power', () => {
  test('leaves what was synced, name and content', () => {
    expect(left((storage) => void synced(storage, 'old'))).toEqual(new Set(['old']))
  })

  test('may take a name whose folder was not synced, and brings it back as it was synced', () => {
    const found = left((storage) => {
      const inode = storage.create('/d/a')
      inode.write(Buffer.from('new'), 0)
      inode.sync()
    })
    expect(found).toEqual(new Set(['new', null]))
  })

  test('leaves one of two files whole where one was renamed over the other', () => {
    const found = left((storage) => {
      synced(storage, 'old')
      const inode = storage.create('/tmp/b')
      inode.write(Buffer.from('new'), 0)
      inode.sync()
      storage.rename('/tmp/b', '/d/a')
    })
    expect(found).toEqual(new Set(['old', 'new']))
  })

  test('may undo a removal', () => {
    const found = left((storage) => {
      synced(storage, 'old')
      storage.remove('/d/a')
    })
    expect(found).toEqual(new Set(['old', null]))
  })

  test('may leave any pages of what was written, and none that was not', () => {
    const found = left((storage) => {
      synced(storage, '').write(Buffer.concat([page('a'), page('b')]), 0)
    })
    const [a, b, zeros] = ['a', 'b', '\0'].map((letter) => page(letter).toString())
    for (const text of ['', `${a}${b}`, `${zeros}${b}`]) expect(found).toContain(text)
    expect([...found].every((text) => /^[a\0]*[b\0]*$/.test(text!))).toBe(true)
  })
})

describe('a sync that fails', () => {
  const failing = (storage: Storage, random: Random): Inode => {
    const inode = synced(storage, '')
    inode.write(Buffer.from('new'), 0)
    inode.failSync(random)
    return inode
  }

  test('shows what was written to programs, and no later sync makes it durable', () => {
    const found = left((storage, random) => {
      const inode = failing(storage, random)
      expect(inode.content.toString()).toBe('new')
      inode.sync()
    })
    expect(found).toContain('new')
    expect(found.size).toBeGreaterThan(1)
  })

  test('is made good by writing again', () => {
    const found = left((storage, random) => {
      const inode = failing(storage, random)
      inode.write(Buffer.from('new'), 0)
      inode.sync()
    })
    expect(found).toEqual(new Set(['new']))
  })
})
