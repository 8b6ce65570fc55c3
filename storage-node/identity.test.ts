import { expect, test } from 'vitest'
import { silentLogger } from '../common/log.ts'
import { MemoryDisk } from './disk/memory-disk.ts'
import { ownIdentity } from './identity.ts'

/** Promise: a data key that was used once is there as long as the data is, whenever the process or the power ends. */
test('a stop before any step of the first start, then a loss of power after the second', async () => {
  const find = (disk: MemoryDisk) => ownIdentity(disk, '/d/data', '/d/data.key', silentLogger)
  const first = new MemoryDisk()
  const stops: MemoryDisk[] = []
  first.onStep = () => stops.push(new MemoryDisk(first))
  await find(first)
  expect(stops.length).toBeGreaterThan(8)
  for (const disk of stops) {
    const found = await find(disk)
    disk.powerLoss()
    expect(await find(disk)).toEqual(found)
  }
})
