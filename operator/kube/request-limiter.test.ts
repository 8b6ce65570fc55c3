import { describe, expect, test } from 'vitest'
import { FakeClock, rest } from '../../test/support/fake-clock.ts'
import type { Priority } from './client.ts'
import { RequestLimiter, type LimiterOptions } from './request-limiter.ts'

// The promise: no more than is allowed, the urgent first, the lease always, and nobody waits after having given up.
function limiter(more: Partial<LimiterOptions> = {}) {
  const clock = new FakeClock()
  const made = new RequestLimiter({
    clock,
    requestsPerSecond: 10,
    burst: 2,
    maxInFlight: 100,
    maxWaiting: 100,
    ...more,
  })
  const admitted: string[] = []
  const releases: (() => void)[] = []
  const ask = (name: string, priority: Priority = 'user', signal?: AbortSignal) =>
    made.acquire(priority, signal).then((release) => {
      admitted.push(name)
      releases.push(release)
    })
  return { clock, limiter: made, admitted, releases, ask }
}

describe('requests', () => {
  test('a burst at once, then one for each tenth of a second', async () => {
    const { clock, admitted, ask } = limiter()
    for (const name of ['a', 'b', 'c', 'd']) void ask(name)
    await rest()
    expect(admitted).toEqual(['a', 'b'])
    await clock.advance(100)
    expect(admitted).toEqual(['a', 'b', 'c'])
    await clock.advance(100)
    expect(admitted).toEqual(['a', 'b', 'c', 'd'])
  })

  test('those that users wait for go before routine, the lease before all', async () => {
    const { clock, admitted, ask } = limiter({ burst: 1 })
    void ask('first')
    void ask('resync 1', 'resync')
    void ask('user 1')
    void ask('user 2')
    void ask('lease', 'lease')
    await rest()
    expect(admitted.sort()).toEqual(['first', 'lease'])
    await clock.advance(300)
    expect(admitted.slice(2)).toEqual(['user 1', 'user 2', 'resync 1'])
  })

  test('no more at a time than there are places; giving one back twice frees one', async () => {
    const { admitted, releases, ask } = limiter({ burst: 100, maxInFlight: 1 })
    for (const name of ['a', 'b', 'c']) void ask(name)
    await rest()
    expect(admitted).toEqual(['a'])
    releases[0]!()
    releases[0]!()
    await rest()
    expect(admitted).toEqual(['a', 'b'])
  })

  test('who gives up leaves the line', async () => {
    const { clock, admitted, ask } = limiter({ burst: 1 })
    const abort = new AbortController()
    void ask('a')
    const gone = ask('gone', 'user', abort.signal)
    void ask('b')
    abort.abort(new Error('too late'))
    await expect(gone).rejects.toThrow('too late')
    await clock.advance(100)
    expect(admitted).toEqual(['a', 'b'])
  })

  test('a line that is too long is refused', async () => {
    const { ask } = limiter({ burst: 1, maxWaiting: 1 })
    void ask('a')
    void ask('b')
    await expect(ask('c')).rejects.toMatchObject({ code: 'ERR_KUBE_QUEUE_FULL' })
  })
})
