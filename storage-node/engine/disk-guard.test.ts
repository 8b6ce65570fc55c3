import { describe, expect, test } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { Ballast } from './ballast.ts'
import { DiskGuard } from './disk-guard.ts'

/** Promise: writes stop while little of the disk is free, and go on when there is room again. */

const dataFolder = '/data'

describe('below 5 % free', () => {
  test('writes are refused until there is room', async () => {
    const disk = new MemoryDisk()
    const clock = new FakeClock()
    const guard = new DiskGuard({ disk, clock, log: silentLogger, dataFolder })
    disk.freeBytes = 50_000_000
    await expect(guard.check(0)).resolves.toBeUndefined()
    disk.freeBytes = 49_999_999
    clock.jump(1_000)
    await expect(guard.check(0)).rejects.toMatchObject({ kind: 'unavailable', code: 'ERR_DISK_FULL' })
    expect(guard.isFull).toBe(true)
    disk.freeBytes = 60_000_000
    await expect(guard.check(0)).rejects.toMatchObject({ code: 'ERR_DISK_FULL' })
    clock.jump(1_000)
    await expect(guard.check(0)).resolves.toBeUndefined()
    expect(guard.isFull).toBe(false)
  })

  test('what is written between two looks counts', async () => {
    const disk = new MemoryDisk()
    const guard = new DiskGuard({ disk, clock: new FakeClock(), log: silentLogger, dataFolder })
    disk.freeBytes = 60_000_000
    await guard.check(6_000_000)
    await expect(guard.check(6_000_000)).rejects.toMatchObject({ code: 'ERR_DISK_FULL' })
  })

  test('a write that comes while the first look is being had is not refused for that', async () => {
    const guard = new DiskGuard({
      disk: new MemoryDisk(),
      clock: new FakeClock(),
      log: silentLogger,
      dataFolder,
    })
    await expect(Promise.all([guard.check(1), guard.check(1)])).resolves.toHaveLength(2)
  })

  test('what is not urgent is done only where it leaves 5 %', async () => {
    const disk = new MemoryDisk()
    const guard = new DiskGuard({ disk, clock: new FakeClock(), log: silentLogger, dataFolder })
    disk.freeBytes = 60_000_000
    expect([await guard.hasRoomFor(10_000_000), await guard.hasRoomFor(10_000_001)]).toEqual([true, false])
  })
})

describe('the ballast', () => {
  const path = `${dataFolder}/ballast`
  const ballastOn = (disk: MemoryDisk) => new Ballast(disk, silentLogger, dataFolder)

  test('is 1 % of a small disk, and given up when that much is not free', async () => {
    const disk = new MemoryDisk()
    const ballast = ballastOn(disk)
    await ballast.keep()
    expect(disk.content(path)).toHaveLength(10_000_000)
    disk.freeBytes = 9_999_999
    await ballast.keep()
    expect(disk.files.has(path)).toBe(false)
    disk.freeBytes = 100_000_000
    await ballast.keep()
    expect(disk.files.has(path)).toBe(false)
    disk.freeBytes = 200_000_000
    await ballast.keep()
    expect(disk.content(path)).toHaveLength(10_000_000)
  })

  test('of a large disk it is 64 MiB', async () => {
    const disk = new MemoryDisk()
    disk.space = async () => ({ freeBytes: 1e12, totalBytes: 1e12 })
    await ballastOn(disk).keep()
    expect(disk.content(path)).toHaveLength(64 * 1024 * 1024)
  })

  test('is given up once, also one that an earlier process has made', async () => {
    const disk = new MemoryDisk()
    await ballastOn(disk).keep()
    const second = ballastOn(disk)
    expect([await second.release(), await second.release(), disk.files.has(path)]).toEqual([
      true,
      false,
      false,
    ])
  })

  test('a part of one is none: what is left of a stop in the making, and what a full disk takes', async () => {
    const disk = new MemoryDisk()
    disk.files.set(path, Buffer.alloc(5))
    disk.failNext('write', 'ENOSPC')
    const ballast = ballastOn(disk)
    await ballast.keep()
    expect(disk.files.has(path)).toBe(false)
    await ballast.keep()
    expect(disk.content(path)).toHaveLength(10_000_000)
    expect(disk.openFiles).toBe(0)
  })
})
