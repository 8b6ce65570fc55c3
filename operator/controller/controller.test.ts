import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { FakeClock, rest } from '../../test/support/fake-clock.ts'
import { Controller, type Reconcile } from './controller.ts'

async function controller(reconcile: Reconcile, workers = 2) {
  const clock = new FakeClock()
  const registry = new Registry()
  const made = new Controller({
    name: 'tenant',
    reconcile,
    clock,
    log: silentLogger,
    registry,
    random: () => 0,
    workers,
    passTimeoutMs: 1_000,
  })
  await made.start()
  const outcomes = async (outcome: string) =>
    (await registry.getSingleMetric('holdfast_reconcile_total')!.get()).values.find(
      ({ labels }) => labels['outcome'] === outcome,
    )?.value ?? 0
  return { clock, controller: made, outcomes }
}

describe('every outcome leads to the right next pass', () => {
  test('success: none', async () => {
    const passes: string[] = []
    const {
      clock,
      controller: made,
      outcomes,
    } = await controller(async (key) => {
      passes.push(key)
      return {}
    })
    made.enqueue('a')
    await clock.advance(3_600_000)
    expect(passes).toEqual(['a'])
    expect(await outcomes('success')).toBe(1)
    await made.stop()
  })

  test('requeueAfterMs: then, and only then', async () => {
    let passes = 0
    const { clock, controller: made } = await controller(async () => {
      passes += 1
      return passes === 1 ? { requeueAfterMs: 60_000 } : {}
    })
    made.enqueue('a')
    await clock.advance(59_999)
    expect(passes).toBe(1)
    await clock.advance(1)
    expect(passes).toBe(2)
    await made.stop()
  })

  test('an error: again with back-off until it succeeds', async () => {
    let passes = 0
    const {
      clock,
      controller: made,
      outcomes,
    } = await controller(async () => {
      passes += 1
      if (passes < 4) throw new Error('not yet')
      return {}
    })
    made.enqueue('a')
    await clock.advance(125 + 250)
    expect(passes).toBe(3)
    await clock.advance(500)
    expect(passes).toBe(4)
    await clock.advance(3_600_000)
    expect([passes, await outcomes('error')]).toEqual([4, 3])
    await made.stop()
  })
})

describe('one key never hinders another', () => {
  test('a pass never runs beside one of the same key, while others go on', async () => {
    const running = new Map<string, number>()
    const started: string[] = []
    const open = new Map<string, () => void>()
    const { controller: made } = await controller(async (key) => {
      running.set(key, (running.get(key) ?? 0) + 1)
      expect(running.get(key)).toBe(1)
      started.push(key)
      await new Promise<void>((resolve) => open.set(key, resolve))
      running.set(key, 0)
      return {}
    })
    made.enqueue('a')
    await rest()
    made.enqueue('a')
    made.enqueue('b')
    await rest()
    expect(started).toEqual(['a', 'b'])
    open.get('a')!()
    await rest()
    expect(started).toEqual(['a', 'b', 'a'])
    open.get('a')!()
    open.get('b')!()
    await made.stop()
  })

  test('an overdue pass is told to end', async () => {
    let reason: unknown
    const { clock, controller: made } = await controller(
      (_key, _log, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            reason = signal.reason
            reject(signal.reason)
          })
        }),
    )
    made.enqueue('a')
    await clock.advance(999)
    expect(reason).toBeUndefined()
    await clock.advance(1)
    expect(reason).toMatchObject({ code: 'ERR_PASS_OVERDUE' })
    await made.stop()
  })

  test('stopping aborts what runs, waits for it and starts nothing more', async () => {
    let passes = 0
    let ended = false
    const { controller: made } = await controller(async (_key, _log, signal) => {
      passes += 1
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      await rest()
      ended = true
      return { requeueAfterMs: 1 }
    }, 1)
    made.enqueue('a')
    made.enqueue('b')
    await rest()
    await made.stop()
    expect([passes, ended]).toEqual([1, true])
  })
})
