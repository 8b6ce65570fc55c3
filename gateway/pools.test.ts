import { describe, expect, test } from 'vitest'
import { systemClock, type Clock } from '../common/clock.ts'
import { defaultPoolLimits, OrganizationPools } from './pools.ts'

const [a, b, c] = ['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb', 'cccccccccccccccc'] as const

function poolsWith(limits: { maxPools?: number; requestsPerOrganization?: number; idleMs?: number }) {
  let nowMs = 0
  const clock: Clock = { ...systemClock, monotonicMs: () => nowMs }
  const opened: string[] = []
  const pools = new OrganizationPools({
    targetOf: (id) => {
      opened.push(id)
      return { host: '127.0.0.1', port: 1 }
    },
    material: null,
    limits: { ...defaultPoolLimits, ...limits },
    clock,
  })
  return { pools, opened, advance: (ms: number) => void (nowMs += ms) }
}

describe('connections are bounded, and one organization cannot take those of another', () => {
  test('an organization has one pool, which no other shares', () => {
    const { pools, opened } = poolsWith({})
    const first = pools.lease(a)
    expect(pools.lease(a).pool).toBe(first.pool)
    expect(pools.lease(b).pool).not.toBe(first.pool)
    expect(opened).toEqual([a, b])
  })

  test('too many requests of one are refused, the others go on', () => {
    const { pools } = poolsWith({ requestsPerOrganization: 2 })
    const first = pools.lease(a)
    pools.lease(a)
    expect(() => pools.lease(a)).toThrow('too many requests under way')
    pools.lease(b)
    first.release()
    first.release()
    pools.lease(a)
    expect(() => pools.lease(a)).toThrow('too many requests under way')
  })

  test('when there are too many, the one idle longest makes room, and one in use never', () => {
    const { pools, opened, advance } = poolsWith({ maxPools: 2 })
    pools.lease(a).release()
    advance(1)
    const used = pools.lease(b)
    pools.lease(c).release()
    expect(pools.size).toBe(2)
    expect(pools.lease(b).pool).toBe(used.pool)
    pools.lease(a)
    expect(opened).toEqual([a, b, c, a])
    expect(() => pools.lease(c)).toThrow('too many organizations at once')
  })

  test('idle pools are closed after their time, and used ones are not', async () => {
    const { pools, advance } = poolsWith({ idleMs: 1_000 })
    const idle = pools.lease(a)
    idle.release()
    pools.lease(b)
    advance(999)
    pools.sweep()
    expect(pools.size).toBe(2)
    advance(1)
    pools.sweep()
    expect(pools.size).toBe(1)
    expect(idle.pool.closed).toBe(true)
    await pools.closeAll()
    expect(pools.size).toBe(0)
  })
})
