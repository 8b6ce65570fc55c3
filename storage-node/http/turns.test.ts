import { describe, expect, test } from 'vitest'
import { systemClock, type Clock } from '../../common/clock.ts'
import { Turns } from './turns.ts'

/** A clock that stands still until it is told how long a step took. */
function steppedClock() {
  let nowMs = 0
  const clock: Clock = { ...systemClock, monotonicMs: () => nowMs }
  return { clock, pass: (ms: number) => void (nowMs += ms) }
}

const round = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('however many queries go on and on, others wait for one turn of one of them', () => {
  test('a round of the event loop has one turn, not one for each', async () => {
    const { clock, pass } = steppedClock()
    const turns = new Turns(clock)
    let steps = 0
    const query = async () => {
      for (let step = 0; step < 60; step++) {
        const turn = turns.end()
        if (turn) await turn
        steps++
        pass(3)
      }
    }
    const queries = Array.from({ length: 8 }, query)
    const perRound: number[] = []
    for (let count = 0; count < 15; count++) {
      steps = 0
      await round()
      perRound.push(steps)
    }
    await Promise.all(queries)
    // A step that begins within the five milliseconds may end after them.
    expect(Math.max(...perRound.slice(1))).toBeLessThanOrEqual(3)
    expect(Math.min(...perRound.slice(1))).toBeGreaterThan(0)
  })

  test('who has waited longest goes on first', async () => {
    const { clock, pass } = steppedClock()
    const turns = new Turns(clock)
    const order: string[] = []
    const query = async (name: string) => {
      for (let step = 0; step < 3; step++) {
        const turn = turns.end()
        if (turn) await turn
        order.push(name)
        pass(6)
      }
    }
    await Promise.all(['a', 'b', 'c'].map(query))
    // The first began when nobody else was there.
    expect(order.join('')).toBe('aabcabcbc')
  })

  test('what takes little time is never held up', async () => {
    const { clock, pass } = steppedClock()
    const turns = new Turns(clock)
    for (let step = 0; step < 100; step++) {
      expect(turns.end()).toBe(null)
      pass(1)
      await round()
    }
  })

  test('while something is urgent a query has a quarter of the time, and all of it afterwards', async () => {
    const { clock, pass } = steppedClock()
    const turns = new Turns(clock)
    let steps = 0
    const abort = new AbortController()
    const query = async () => {
      while (!abort.signal.aborted) {
        const turn = turns.end()
        if (turn) await turn
        steps++
        pass(1)
      }
    }
    const running = [query(), query()]
    const stepsIn = async (ms: number) => {
      steps = 0
      const untilMs = clock.monotonicMs() + ms
      while (clock.monotonicMs() < untilMs) {
        await systemClock.sleep(1)
        pass(1)
      }
      return steps
    }
    const before = await stepsIn(200)
    const over = turns.urgent()
    const meanwhile = await stepsIn(200)
    over()
    over()
    const after = await stepsIn(200)
    abort.abort()
    await Promise.all(running)
    expect(meanwhile).toBeGreaterThan(0)
    expect(meanwhile).toBeLessThan(before / 2)
    expect(after).toBeGreaterThan(meanwhile * 1.5)
  })
})
