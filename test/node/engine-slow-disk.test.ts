import { describe, expect, test, vi } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { MemoryDisk } from '../../storage-node/disk/memory-disk.ts'
import { Engine } from '../../storage-node/engine/engine.ts'
import { FakeClock, rest } from '../support/fake-clock.ts'
import { stage } from '../support/parquet-stand-in.ts'
import { slowDisk } from '../support/slow-disk.ts'
import { databaseState, readAll, write } from './engine-support.ts'

vi.mock('../../storage-node/query-process/client.ts', async (original) => ({
  ...(await original<object>()),
  ...(await import('../support/parquet-stand-in.ts')),
}))

/**
 * Promise: neither a slow disk nor a clock that is set loses a point: writers are told to come back, buffers are put into
 * files, and retention drops what has expired and nothing else.
 */

const hourNs = 3_600_000_000_000n
const hourMs = 3_600_000

async function open(durationNs = 0n) {
  const memory = new MemoryDisk()
  const slow = slowDisk(memory)
  const clock = new FakeClock()
  stage.disk = memory
  const engine = await Engine.open({
    disk: slow.disk,
    clock,
    log: silentLogger,
    organizationId: '0123456789abcdef',
    dataKey: new Uint8Array(32).fill(1),
    dataFolder: '/data',
    queryProcess: { program: 'none', extensionPath: 'none' },
    memoryLimitBytes: 64 * 1024 * 1024,
    onFatal: (error) => {
      throw error
    },
  })
  engine.setDatabases([databaseState({ durationNs })])
  return { engine, slow, clock, memory }
}

async function until(condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns++) {
    if (turns > 300) throw new Error('never came to be')
    await rest()
  }
}

describe('a disk whose syncs hang', () => {
  test('writers beyond a bound are told to come back; the others are acknowledged when the sync is done', async () => {
    const { engine, slow, clock, memory } = await open()
    await write(engine, 'm v=0 0')
    slow.hold()
    const points = 20_000
    const lines = (batch: number) =>
      Array.from({ length: points }, (_, k) => `m v=${k} ${batch * points + k}`).join('\n')
    const outcomes = Array.from({ length: 40 }, async (_, batch) => {
      const outcome = await write(engine, lines(batch)).catch((error: unknown) => error as Error)
      return outcome instanceof Error ? outcome : batch
    })
    await until(() => engine.stats().position === 1)
    expect(await readAll(engine)).toEqual(['{} 0 v=0'])
    // They wait ten seconds for room first.
    await clock.advance(10_000)
    const before = memory.syncs
    slow.release()
    const settled = await Promise.all(outcomes)
    const accepted = settled.filter((outcome) => typeof outcome === 'number')
    const refused = settled.filter((outcome) => outcome instanceof Error)
    expect(accepted.length).toBeGreaterThan(2)
    expect(refused.length).toBeGreaterThan(2)
    for (const error of refused)
      expect(error).toMatchObject({
        kind: 'unavailable',
        code: expect.stringMatching(/^ERR_(LOG_BUSY|BUFFER_FULL)$/),
      })
    expect(memory.syncs - before).toBeLessThanOrEqual(3)
    expect(await readAll(engine)).toHaveLength(accepted.length * points)
    expect((await write(engine, 'm v=1 -1')).accepted).toBe(1)
    await engine.close()
  })
})

describe('a clock that is set', () => {
  test.each([-31_536_000_000, -hourMs, 31_536_000_000])(
    'by %i ms: buffers are put into files all the same, and age does not count the step',
    async (stepMs) => {
      const { engine, clock } = await open()
      await write(engine, 'm v=1 1')
      clock.step(stepMs)
      await clock.advance(9 * 60_000)
      expect(engine.stats().bufferedRows).toBe(1)
      await clock.advance(2 * 60_000)
      await until(() => engine.stats().bufferedRows === 0)
      expect(await readAll(engine)).toEqual(['{} 1 v=1'])
      await engine.close()
    },
  )

  test('far ahead, and put right within the hour: retention has dropped nothing', async () => {
    const { engine, clock } = await open(hourNs)
    await write(engine, `m v=1 ${clock.nowNs()}`)
    await engine.flush()
    clock.step(1_000 * hourMs)
    await clock.advance(hourMs / 2)
    expect(engine.stats().files).toBe(1)
    clock.step(-1_000 * hourMs)
    await clock.advance(10_000)
    expect([engine.stats().files, (await readAll(engine)).length]).toEqual([1, 1])
    await clock.advance(hourMs)
    await until(() => engine.stats().files === 0)
    await engine.close()
  })

  test('back, and left there: what had expired is kept until it has expired again', async () => {
    const { engine, clock } = await open(hourNs)
    await write(engine, `m v=1 ${clock.nowNs()}`)
    await engine.flush()
    clock.step(-10 * hourMs)
    await clock.advance(10 * hourMs)
    expect(engine.stats().files).toBe(1)
    await clock.advance(hourMs + 10_000)
    await until(() => engine.stats().files === 0)
    await engine.close()
  })
})
