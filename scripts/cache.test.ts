import { mkdtemp, readFile, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { cached, cacheKey } from './cache.ts'

let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-cache-'))
  vi.stubEnv('HOLDFAST_CACHE', root)
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(root, { recursive: true })
})

/** Counts how often it builds. */
function builder(content = 'built') {
  const build = vi.fn<(folder: string) => Promise<void>>(async (folder) => {
    await writeFile(join(folder, 'artefact'), content)
  })
  return build
}

describe('the same inputs are built once, other inputs apart', () => {
  test('a second call finds the first result', async () => {
    const build = builder()
    const first = await cached('tool', ['source', 'flags'], build)
    expect(await cached('tool', ['source', 'flags'], build)).toBe(first)
    expect(build).toHaveBeenCalledTimes(1)
    expect(await readFile(join(first, 'artefact'), 'utf8')).toBe('built')
  })

  test('calls at the same time build once', async () => {
    const build = builder()
    const folders = await Promise.all(Array.from({ length: 5 }, () => cached('tool', ['source'], build)))
    expect(new Set(folders).size).toBe(1)
    expect(build).toHaveBeenCalledTimes(1)
  })

  test.each([
    { name: 'another order', a: ['x', 'y'], b: ['y', 'x'] },
    { name: 'a byte moved to the next input', a: ['ab', 'c'], b: ['a', 'bc'] },
    { name: 'an empty input', a: ['a'], b: ['a', ''] },
  ])('$name is another key', ({ a, b }) => {
    expect(cacheKey(a)).not.toBe(cacheKey(b))
  })
})

describe('nobody ever sees half a result', () => {
  test('a failed build leaves nothing and is tried again', async () => {
    const failing = cached('tool', ['source'], async (folder) => {
      await writeFile(join(folder, 'half'), '')
      throw new Error('compiler crashed')
    })
    await expect(failing).rejects.toThrow('compiler crashed')
    expect(await readdir(join(root, 'tool'))).toEqual([])
    expect(await readdir(await cached('tool', ['source'], builder()))).toEqual(['artefact'])
  })

  test('the lock of a process that died is taken over', async () => {
    const folder = join(root, 'tool', cacheKey(['source']))
    await cached('tool', ['other'], builder())
    await writeFile(`${folder}.lock`, '4194305 1 gone\nany')
    expect(await cached('tool', ['source'], builder())).toBe(folder)
    expect(await readdir(dirname(folder))).toHaveLength(2)
  })
})

test('what nobody used for a day goes, but for the newest few', async () => {
  const yesterday = new Date(Date.now() - 25 * 60 * 60_000)
  const old: string[] = []
  for (let index = 0; index < 6; index += 1) {
    const folder = await cached('tool', [`source ${index}`], builder())
    old.push(folder)
  }
  for (const folder of old) await utimes(folder, yesterday, yesterday)
  const newest = await cached('tool', ['newest'], builder())
  const left = await readdir(join(root, 'tool'))
  expect(left).toHaveLength(4)
  expect(left.map((entry) => join(root, 'tool', entry))).toContain(newest)
})

test('what is large and soon outdated goes sooner, but never while it is in use', async () => {
  const retention = { entries: 2, usedMs: 60_000 }
  const folderOf = (index: number) => cached('tool', [`source ${index}`], builder(), retention)
  const unused = await Promise.all([0, 1, 2].map(folderOf))
  const anHourAgo = new Date(Date.now() - 60 * 60_000)
  for (const folder of unused) await utimes(folder, anHourAgo, anHourAgo)
  const [first, second] = [await folderOf(1), await folderOf(3)]
  expect(await entries()).toEqual([first, second].sort())
  const [third, fourth] = [await folderOf(4), await folderOf(5)]
  expect(await entries()).toEqual([first, second, third, fourth].sort())
})

async function entries(): Promise<string[]> {
  return (await readdir(join(root, 'tool'))).map((entry) => join(root, 'tool', entry)).sort()
}
