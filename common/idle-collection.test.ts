import { describe, expect, test } from 'vitest'
import { FakeClock } from '../test/support/fake-clock.ts'
import { IdleCollection, idleCollection } from './idle-collection.ts'

/** A process that uses `loadMs` of the processor in every five seconds, and `costMs` for a collection. */
class FakeProcess {
  readonly clock = new FakeClock()
  collections = 0
  #usedMs = 400
  readonly #costMs: number
  readonly collection: IdleCollection

  constructor(costMs = 10) {
    this.#costMs = costMs
    this.collection = new IdleCollection({
      clock: this.clock,
      usedMs: () => this.#usedMs,
      collect: () => {
        this.collections++
        this.#usedMs += this.#costMs
      },
    })
  }

  async run(seconds: number, loadMs: number): Promise<number> {
    const before = this.collections
    for (let passed = 0; passed < seconds; passed += 5) {
      this.#usedMs += loadMs
      await this.clock.advance(5_000)
    }
    return this.collections - before
  }
}

describe('memory is given back when a process has gone quiet, and requests never wait for it', () => {
  test('once after the start, then not again while nothing is done', async () => {
    const idle = new FakeProcess()
    await idle.collection.start()
    expect(await idle.run(10, 0)).toBe(1)
    expect(await idle.run(3_600, 0)).toBe(0)
    await idle.collection.stop()
  })

  test('never under load, once when it ends', async () => {
    const busy = new FakeProcess()
    await busy.collection.start()
    expect(await busy.run(600, 5_000)).toBe(0)
    expect(await busy.run(60, 0)).toBe(1)
    await busy.collection.stop()
  })

  test.each([
    ['a small heap', 10],
    ['a large heap', 400],
  ])('a trickle of requests and %s: at most a twentieth of what they take', async (_name, costMs) => {
    const trickle = new FakeProcess(costMs)
    await trickle.collection.start()
    await trickle.run(10, 0)
    const found = await trickle.run(10_000, 60)
    expect(found).toBeGreaterThan(0)
    expect(found * costMs).toBeLessThanOrEqual((2_000 * 60) / 20)
    await trickle.collection.stop()
  })

  test('nothing runs any more once it is stopped', async () => {
    const stopped = new FakeProcess()
    await stopped.collection.start()
    await stopped.collection.stop()
    expect(await stopped.run(60, 0)).toBe(0)
  })

  test('of this very process', async () => {
    const clock = new FakeClock()
    const collection = idleCollection(clock)
    await collection.start()
    const gone = new WeakRef({ garbage: true })
    await clock.advance(5_000)
    expect(gone.deref()).toBeUndefined()
    await collection.stop()
  })
})
