import { expect, test } from 'vitest'
import { MemoryDisk } from './disk/memory-disk.ts'
import { lockFile } from './lock-file.ts'

/** Promise: a node that was locked knows it, whatever became of the mark. */

const file = '/data/state/locked'

test('what was marked is found again, over a loss of power too, and nothing once it is removed', async () => {
  const disk = new MemoryDisk()
  expect(await lockFile(disk, '/data').read()).toBeNull()
  const mark = { state: 'locked' as const, keyIds: ['0123456789abcdef'] }
  await lockFile(disk, '/data').replace(mark)
  disk.powerLoss()
  expect(await lockFile(disk, '/data').read()).toEqual(mark)
  await lockFile(disk, '/data').replace({ state: 'await-push' })
  await lockFile(disk, '/data').remove()
  disk.powerLoss()
  expect(await lockFile(disk, '/data').read()).toBeNull()
})

test.each(['', '{"state":"locked","keyIds":["x"]}', '{"state":"open"}'])(
  'one that is damaged still locks: %j',
  async (text) => {
    const disk = new MemoryDisk()
    await disk.makeFolder('/data/state')
    await disk.replace(file, Buffer.from(text))
    expect(await lockFile(disk, '/data').read()).toEqual({ state: 'locked', keyIds: [] })
  },
)
