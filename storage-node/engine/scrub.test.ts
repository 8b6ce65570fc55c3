import { expect, test } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { DamageList } from '../disk/damage.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import type { FileStore } from '../files/file-store.ts'
import { Scrub } from './scrub.ts'

/** Promise: every file is read through once an interval, at a bounded rate, and no more once damage is found. */

const mebibyte = 1_048_576
const hourMs = 3_600_000
const roundMs = 5_000

function world(scrubIntervalMs: number, damaged = '') {
  const clock = new FakeClock()
  const damage = new DamageList(silentLogger)
  const checked: string[] = []
  let pinned = 0
  const store = {
    files: ['a', 'b', 'c', 'd', 'e'].map((name) => ({ entry: { name, sizeBytes: 9 * mebibyte } })),
    dictionaries: () => [],
    pin: () => {
      pinned++
      return async () => void pinned--
    },
    isIntact: async ({ entry }: { entry: { name: string } }) => {
      checked.push(entry.name)
      if (entry.name === damaged) damage.add({ file: entry.name, offsetBytes: null, what: 'damaged' })
    },
  }
  const scrub = new Scrub({
    options: { clock, log: silentLogger, disk: new MemoryDisk(), dataFolder: '/d', scrubIntervalMs },
    keyring: {} as Keyring,
    store: store as unknown as FileStore,
    damage,
    segments: () => [],
  })
  const round = async (signal = new AbortController().signal) => {
    clock.jump(roundMs)
    await scrub.round(roundMs, signal)
    expect(pinned).toBe(0)
    return checked.splice(0).length
  }
  return { clock, store, scrub, round }
}

test('twenty mebibytes in a round of five seconds, the first an hour after the start, the next a week after the last', async () => {
  const { clock, scrub, round } = world(168 * hourMs)
  expect(await round()).toBe(0)
  clock.jump(hourMs)
  expect([await round(), await round(), await round()]).toEqual([3, 2, 0])
  expect(scrub.result).toEqual({ checkedFiles: 5, checkEndedMs: clock.nowMs() - roundMs })
  clock.jump(167 * hourMs)
  expect(await round()).toBe(0)
  clock.jump(hourMs)
  expect([await round(), await round()]).toEqual([3, 2])
})

test('files that are gone meanwhile are not looked for', async () => {
  const { clock, store, scrub, round } = world(hourMs)
  clock.jump(hourMs)
  expect(await round()).toBe(3)
  store.files = []
  expect(await round()).toBe(0)
  expect(scrub.result.checkEndedMs).toBe(clock.nowMs())
})

test('it ends where damage is found, and never begins with an interval of 0', async () => {
  const { clock, scrub, round } = world(hourMs, 'd')
  clock.jump(hourMs)
  expect([await round(), await round()]).toEqual([2, 0])
  expect(scrub.result.checkEndedMs).toBe(0)
  const never = world(0)
  never.clock.jump(1_000 * hourMs)
  expect(await never.round()).toBe(0)
})

test('what a stop leaves unchecked is not said to be checked', async () => {
  const { clock, store, scrub, round } = world(hourMs)
  store.files.splice(4)
  clock.jump(hourMs)
  expect([await round(), await round(AbortSignal.abort())]).toEqual([3, 0])
  expect(scrub.result).toEqual({ checkedFiles: 3, checkEndedMs: 0 })
  expect(await round()).toBe(1)
})
