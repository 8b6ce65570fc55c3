import { expect, test } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { rest } from '../../test/support/fake-clock.ts'
import { slowDisk } from '../../test/support/slow-disk.ts'
import { Keyring } from '../crypto/keyring.ts'
import { DamageList } from '../disk/damage.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { Log } from './log.ts'

/** Promise: however slow syncs are, what waits for them is bounded, is told to come back, and shares them. */

const keyring = new Keyring('0123456789abcdef', new Uint8Array(32).fill(1))

async function opened() {
  const memory = new MemoryDisk()
  const slow = slowDisk(memory)
  const log = await Log.open(
    {
      disk: slow.disk,
      folder: '/data/log',
      keyring,
      log: silentLogger,
      damage: new DamageList(silentLogger),
      onFatal: () => undefined,
    },
    0,
    () => undefined,
  )
  return { log, slow, memory }
}

const put = (log: Log, bytes: Uint8Array): Promise<number> => log.append(bytes, (position) => position)

test('all that came during a slow sync shares the next one, and nothing is acknowledged before it', async () => {
  const { log, slow, memory } = await opened()
  slow.hold()
  const before = memory.syncs
  let acknowledged = 0
  const writes = Array.from({ length: 500 }, () =>
    put(log, new Uint8Array(100)).then((position) => {
      acknowledged++
      return position
    }),
  )
  await rest()
  expect([acknowledged, log.position]).toEqual([0, 0])
  slow.release()
  expect(await Promise.all(writes)).toEqual(Array.from({ length: 500 }, (_, index) => index + 1))
  expect(memory.syncs - before).toBeLessThanOrEqual(2)
})

test('more than 64 MiB may not wait: the rest is told to come back, and can when the disk is done', async () => {
  const { log, slow } = await opened()
  slow.hold()
  const piece = new Uint8Array(4 * 1024 * 1024)
  const outcomes = Array.from({ length: 30 }, () =>
    put(log, piece).catch((error: unknown) =>
      error instanceof Error && 'code' in error ? error.code : error,
    ),
  )
  await rest()
  slow.release()
  const settled = await Promise.all(outcomes)
  const accepted = settled.filter((outcome) => typeof outcome === 'number')
  expect(accepted).toEqual(accepted.map((_, index) => index + 1))
  // One is under way, 16 fill the 64 MiB, and one goes beyond.
  expect(accepted).toHaveLength(18)
  expect(new Set(settled.slice(accepted.length))).toEqual(new Set(['ERR_LOG_BUSY']))
  expect(await put(log, piece)).toBe(19)
})
