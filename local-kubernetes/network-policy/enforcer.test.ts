import { beforeEach, describe, expect, test } from 'vitest'
import type { Clock } from '../../common/clock.ts'
import { silentLogger } from '../../common/log.ts'
import { compile } from './compile.ts'
import { Enforcer } from './enforcer.ts'
import type { Firewall } from './firewall.ts'
import type { NetworkPolicy, Pod, World } from './resources.ts'

/** Time moves only when a test says so. */
class FakeClock implements Clock {
  #nowMs = 0
  #sleepers: { readonly dueMs: number; readonly wake: () => void }[] = []

  nowMs = () => this.#nowMs
  nowNs = () => BigInt(this.#nowMs) * 1_000_000n
  monotonicMs = () => this.#nowMs

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      this.#sleepers.push({ dueMs: this.#nowMs + ms, wake: resolve })
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
  }

  async advance(ms: number): Promise<void> {
    this.#nowMs += ms
    const due = this.#sleepers.filter(({ dueMs }) => dueMs <= this.#nowMs)
    this.#sleepers = this.#sleepers.filter(({ dueMs }) => dueMs > this.#nowMs)
    for (const { wake } of due) wake()
    await settled()
  }
}

class FakeFirewall implements Firewall {
  readonly applied: string[] = []
  there = false
  refusing = false

  present = () => Promise.resolve(this.there)
  remove = () => Promise.resolve()
  apply = (ruleset: string) => {
    if (this.refusing) return Promise.reject(new Error('refused'))
    this.there = true
    this.applied.push(ruleset)
    return Promise.resolve()
  }
}

/** Lets everything that waits for no clock run to its end. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

const pod = (name: string, podIP: string): Pod => ({
  metadata: { name, namespace: 'a' },
  spec: { containers: [] },
  status: { phase: 'Running', podIP },
})
const deny: NetworkPolicy = { metadata: { name: 'deny', namespace: 'a' }, spec: { podSelector: {} } }
const empty: World = { policies: [], namespaces: [], pods: [] }
const one: World = { ...empty, pods: [pod('one', '10.244.0.2')] }
const two: World = { ...empty, pods: [...one.pods, pod('two', '10.244.0.3')] }

let clock: FakeClock
let firewall: FakeFirewall
let world: World
let catchUps: number
let catchUp: () => Promise<void>
let enforcer: Enforcer

beforeEach(() => {
  clock = new FakeClock()
  firewall = new FakeFirewall()
  world = empty
  catchUps = 0
  catchUp = () => Promise.resolve()
  enforcer = new Enforcer({
    read: () => world,
    catchUp: () => {
      catchUps += 1
      return catchUp()
    },
    firewall,
    clock,
    log: silentLogger,
  })
})

async function change(next: World): Promise<void> {
  world = next
  enforcer.changed()
  await settled()
}

describe('what the policies say is in force soon, and nothing else ever is', () => {
  test('it has started once the first rules are in force', async () => {
    firewall.refusing = true
    let started = false
    const starting = enforcer.start().then(() => {
      started = true
    })
    await settled()
    expect(started).toBe(false)
    firewall.refusing = false
    await clock.advance(1_000)
    await starting
    expect(firewall.applied).toEqual([compile(empty)])
    await enforcer.stop()
  })

  test('changes that come together are one ruleset, 50 ms after the first', async () => {
    await enforcer.start()
    await change(one)
    await change(two)
    expect(firewall.applied).toHaveLength(1)
    await clock.advance(50)
    expect(firewall.applied).toEqual([compile(empty), compile(two)])
    await enforcer.stop()
  })

  test('a change that changes no rule touches nothing', async () => {
    await enforcer.start()
    await change({ ...empty, pods: [pod('elsewhere', '192.0.2.1')] })
    await clock.advance(50)
    expect(firewall.applied).toHaveLength(1)
    await enforcer.stop()
  })

  test('a change during applying is not lost', async () => {
    await enforcer.start()
    const apply = firewall.apply
    firewall.apply = (ruleset) => {
      firewall.apply = apply
      world = two
      enforcer.changed()
      return apply(ruleset)
    }
    await change(one)
    await clock.advance(50)
    await clock.advance(50)
    expect(firewall.applied.at(-1)).toBe(compile(two))
    await enforcer.stop()
  })

  test('a table that somebody took away is back within 10 s', async () => {
    await enforcer.start()
    await clock.advance(10_000)
    expect(firewall.applied).toHaveLength(1)
    firewall.there = false
    await clock.advance(10_000)
    expect(firewall.applied).toEqual([compile(empty), compile(empty)])
    await enforcer.stop()
  })

  test('rules that nftables refuses are tried again, the old ones stay', async () => {
    await enforcer.start()
    firewall.refusing = true
    await change(one)
    await clock.advance(50)
    expect(firewall.applied).toEqual([compile(empty)])
    firewall.refusing = false
    await clock.advance(1_000)
    expect(firewall.applied).toEqual([compile(empty), compile(one)])
    await enforcer.stop()
  })
})

describe('a new pod is closed until the policies that are older than it are known', () => {
  test('a policy that its watch has not brought yet is fetched before the pod is let in', async () => {
    await enforcer.start()
    catchUp = () => {
      world = { ...world, policies: [deny] }
      return Promise.resolve()
    }
    await change(one)
    await clock.advance(50)
    expect(firewall.applied).toEqual([compile(empty), compile({ ...one, policies: [deny] })])
    await enforcer.stop()
  })

  test('a pod that appears meanwhile waits for its own turn', async () => {
    await enforcer.start()
    catchUp = () => {
      world = two
      return Promise.resolve()
    }
    await change(one)
    await clock.advance(50)
    expect(firewall.applied).toEqual([compile(empty), compile(one)])
    await enforcer.stop()
  })

  test('without the API server it stays closed and the rules stay', async () => {
    await enforcer.start()
    catchUp = () => Promise.reject(new Error('unreachable'))
    await change(one)
    await clock.advance(50)
    await clock.advance(1_000)
    expect(firewall.applied).toEqual([compile(empty)])
    catchUp = () => Promise.resolve()
    await clock.advance(1_000)
    expect(firewall.applied).toEqual([compile(empty), compile(one)])
    await enforcer.stop()
  })

  test('nothing is fetched while no pod is new', async () => {
    world = one
    await enforcer.start()
    const before = catchUps
    await change({ ...one, policies: [deny] })
    await clock.advance(50)
    await change({ ...empty, policies: [deny] })
    await clock.advance(50)
    expect(firewall.applied).toHaveLength(3)
    expect(catchUps).toBe(before)
    await enforcer.stop()
  })

  test('an address that another pod takes over counts as new', async () => {
    world = one
    await enforcer.start()
    const before = catchUps
    await change({ ...empty, pods: [pod('other', '10.244.0.2')] })
    await clock.advance(50)
    expect(catchUps).toBe(before + 1)
    await enforcer.stop()
  })
})
