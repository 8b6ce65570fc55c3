import { expect, test } from 'vitest'
import type { Clock } from '../../common/clock.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { DiskGuard } from './disk-guard.ts'

/** Promise: writes stop while little of the disk is free, and go on when there is room again. */
test('below 5 % free, writes are refused until there is room', async () => {
  const disk = new MemoryDisk()
  let nowMs = 0
  const clock: Clock = {
    nowMs: () => nowMs,
    nowNs: () => 0n,
    monotonicMs: () => nowMs,
    sleep: async () => undefined,
  }
  const guard = new DiskGuard(disk, clock, '/data')
  disk.freeBytes = 50_000_000
  await expect(guard.check()).resolves.toBeUndefined()
  disk.freeBytes = 49_999_999
  nowMs += 1_000
  await expect(guard.check()).rejects.toMatchObject({ kind: 'unavailable', code: 'ERR_DISK_FULL' })
  disk.freeBytes = 60_000_000
  await expect(guard.check()).rejects.toMatchObject({ code: 'ERR_DISK_FULL' })
  nowMs += 1_000
  await expect(guard.check()).resolves.toBeUndefined()
})
