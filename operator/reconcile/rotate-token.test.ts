import { describe, expect, test } from 'vitest'
import { hashToken } from '../../common/token.ts'
import { TenantWorld } from '../../test/support/tenant-world.ts'
import type { Condition } from '../api/conditions.ts'
import type { IssuedToken } from '../api/token.ts'
import type { KubeObject } from '../kube/object.ts'
import { resources } from '../kube/resource.ts'

// Promise: who reads the Secret gets a string that every node accepts, also while it is replaced, wherever the operator
// ends; the string before it is accepted until `overlap` after that, and by nobody later.

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const { tokens, secrets } = resources

async function tenant(rotation: object | null = { every: '1h', overlap: '10m' }): Promise<TenantWorld> {
  const world = new TenantWorld()
  await world.create('Organization', 'acme', {})
  await world.create('Token', 'writer', {
    organization: 'acme',
    permissions: [{ database: '*', access: ['write'] }],
    ...(rotation && { rotation }),
  })
  await world.settle()
  return world
}

const secretOf = (world: TenantWorld): KubeObject => world.get(secrets, 'writer')!
const hashInSecret = (world: TenantWorld): string => {
  const data = secretOf(world)['data'] as Readonly<Record<string, string>>
  return hashToken(Buffer.from(data['token'] ?? '', 'base64').toString())
}
const statusOf = (world: TenantWorld) =>
  world.get(tokens, 'writer')!['status'] as {
    readonly tokens: readonly IssuedToken[]
    readonly conditions: readonly Condition[]
  }
const readyOf = (world: TenantWorld) => statusOf(world).conditions.find(({ type }) => type === 'Ready')
const accepted = (world: TenantWorld) => {
  const now = world.clock.nowMs()
  return world.nodes
    .document!.tokens.filter(({ expiresAt }) => expiresAt === null || Date.parse(expiresAt) > now)
    .map(({ hash }) => hash)
}

async function annotate(world: TenantWorld, value: string): Promise<void> {
  const live = world.get(tokens, 'writer')!
  const annotations = { ...live.metadata.annotations, 'holdfast.dev/rotate': value }
  await world.kube.apply({ ...live, metadata: { ...live.metadata, annotations } })
}
const at = (ms: number): string => new Date(ms).toISOString()

/** Each time that anything is written, what the Secret holds must be accepted. */
function watchSecret(world: TenantWorld): readonly string[] {
  const seen: string[] = []
  world.meanwhile = () => {
    const hash = hashInSecret(world)
    if (seen.at(-1) !== hash) seen.push(hash)
    expect(accepted(world)).toContain(hash)
  }
  return seen
}

describe('a string is replaced', () => {
  test('when its time has come: nodes first, then the Secret, then the old one ends', async () => {
    const world = await tenant()
    const old = hashInSecret(world)
    await world.settle()
    expect(hashInSecret(world)).toBe(old)
    const seen = watchSecret(world)
    world.clock.jump(hourMs)
    const from = world.operatorWrites.length
    const next = await world.pass()
    expect(next.requeueAfterMs).toBeLessThanOrEqual(300)
    expect(hashInSecret(world)).toBe(old)
    expect(accepted(world)).toHaveLength(2)
    expect(readyOf(world)?.status).toBe('True')
    await world.pass()
    const switchedMs = world.clock.nowMs()
    const fresh = hashInSecret(world)
    expect(fresh).not.toBe(old)
    expect(seen).toEqual([old, fresh])
    expect(statusOf(world).tokens).toMatchObject([
      { hash: fresh },
      { hash: old, expiresAt: `${at(switchedMs + 10 * minuteMs).slice(0, 19)}Z` },
    ])
    const writes = world.operatorWrites.slice(from).map((call) => call.replace(/ [0-9a-f]{64}$/, ''))
    expect(writes).toEqual([
      'status tokens writer',
      'node document',
      'status organizations acme',
      'replace secrets writer',
      'status tokens writer',
      'node document',
      'status organizations acme',
    ])
    expect(world.events.filter((event) => event.includes('TokenRotated'))).toHaveLength(1)
    world.clock.jump(9 * minuteMs)
    await world.pass()
    expect(accepted(world).toSorted()).toEqual([fresh, old].toSorted())
    world.clock.jump(2 * minuteMs)
    await world.pass()
    expect(accepted(world)).toEqual([fresh])
    expect(world.nodes.refusals).toEqual([])
  })

  test('again and again, with no more strings in status than it holds', async () => {
    const world = await tenant()
    const hashes = new Set<string>()
    watchSecret(world)
    for (let hour = 0; hour < 20; hour += 1) {
      hashes.add(hashInSecret(world))
      world.clock.jump(hourMs)
      await world.settle()
      expect(statusOf(world).tokens.length).toBeLessThanOrEqual(16)
    }
    expect(hashes.size).toBe(20)
    expect(world.nodes.refusals).toEqual([])
  })

  test('not before the pass that its time asks for', async () => {
    const world = await tenant()
    const { requeueAfterMs } = await world.pass()
    expect(requeueAfterMs).toBeLessThanOrEqual(hourMs)
    const yearly = await tenant({ every: '8760h' })
    const before = hashInSecret(yearly)
    yearly.clock.jump(24 * hourMs)
    await yearly.settle()
    expect(hashInSecret(yearly)).toBe(before)
  })

  test('beside a node that does not answer only when it does', async () => {
    const world = await tenant()
    const old = hashInSecret(world)
    world.nodes.isUnreachable = true
    world.clock.jump(hourMs)
    for (let pass = 0; pass < 5; pass += 1) await world.pass()
    expect(hashInSecret(world)).toBe(old)
    expect(statusOf(world).tokens).toHaveLength(2)
    expect(statusOf(world).tokens[1]?.hash).toBe(old)
    expect(statusOf(world).tokens[1]?.expiresAt).toBeUndefined()
    world.nodes.isUnreachable = false
    await world.settle()
    expect(hashInSecret(world)).not.toBe(old)
    expect(accepted(world)).toContain(old)
  })

  test('wherever the operator ends', async () => {
    let ends = 0
    for (let write = 1; ; write += 1) {
      const world = await tenant()
      const old = hashInSecret(world)
      world.clock.jump(hourMs)
      world.killAfter = world.writes + write
      for (let pass = 0; pass < 3 && !world.killed; pass += 1) await world.pass()
      if (!world.killed) break
      ends += 1
      world.restart()
      watchSecret(world)
      await world.settle()
      const fresh = hashInSecret(world)
      expect(fresh).not.toBe(old)
      expect(accepted(world)).toEqual(expect.arrayContaining([old, fresh]))
      expect(statusOf(world).tokens.map(({ hash }) => hash)).toEqual([fresh, old])
      expect(
        statusOf(world)
          .tokens.slice(1)
          .every(({ expiresAt }) => Boolean(expiresAt)),
      ).toBe(true)
      expect(world.nodes.refusals).toEqual([])
    }
    expect(ends).toBe(7)
  })
})

describe('the annotation holdfast.dev/rotate', () => {
  test('asks once', async () => {
    const world = await tenant(null)
    const first = hashInSecret(world)
    await annotate(world, at(world.clock.nowMs()))
    await world.settle()
    const second = hashInSecret(world)
    expect(second).not.toBe(first)
    expect(statusOf(world).tokens).toHaveLength(2)
    world.restart()
    world.clock.jump(hourMs)
    await world.settle()
    expect(hashInSecret(world)).toBe(second)
    await annotate(world, at(world.clock.nowMs() + 500))
    world.clock.jump(1_000)
    await world.settle()
    expect(hashInSecret(world)).not.toBe(second)
    expect(statusOf(world).tokens.map(({ expiresAt }) => Boolean(expiresAt))).toEqual([false, true, true])
  })

  test('of a time to come waits for it, and of one long ago asks for nothing', async () => {
    const world = await tenant(null)
    const first = hashInSecret(world)
    await annotate(world, '2020-01-01T00:00:00Z')
    await world.settle()
    expect(hashInSecret(world)).toBe(first)
    await annotate(world, at(world.clock.nowMs() + 6 * hourMs))
    await world.settle()
    expect(hashInSecret(world)).toBe(first)
    world.clock.jump(6 * hourMs)
    await world.settle()
    expect(hashInSecret(world)).not.toBe(first)
  })

  test.each([['tomorrow'], ['2026-13-01T00:00:00Z'], ['']])(
    'that says "%s" is refused in words',
    async (text) => {
      const world = await tenant(null)
      const first = hashInSecret(world)
      await annotate(world, text)
      await world.settle()
      expect(readyOf(world)).toMatchObject({
        status: 'False',
        reason: 'InvalidSpec',
        message: 'metadata.annotations["holdfast.dev/rotate"]: a time such as 2026-01-01T00:00:00Z expected',
      })
      expect(accepted(world)).toEqual([first])
    },
  )

  test('says so where the string is minted elsewhere', async () => {
    const world = await tenant(null)
    await world.create('Token', 'foreign', {
      organization: 'acme',
      permissions: [{ database: '*', access: ['read'] }],
      hash: 'a'.repeat(64),
    })
    await world.settle()
    const live = world.get(tokens, 'foreign')!
    const annotations = { 'holdfast.dev/rotate': at(world.clock.nowMs()) }
    await world.kube.apply({ ...live, metadata: { ...live.metadata, annotations } })
    await world.settle()
    const { conditions } = world.get(tokens, 'foreign')!['status'] as { conditions: readonly Condition[] }
    expect(conditions.find(({ type }) => type === 'Ready')?.message).toContain('rotated where it is minted')
    expect(accepted(world)).toContain('a'.repeat(64))
  })
})

describe('what is older', () => {
  test('ends at once with a deleted Secret', async () => {
    const world = await tenant()
    world.clock.jump(hourMs)
    await world.settle()
    const before = accepted(world)
    expect(before).toHaveLength(2)
    await world.kube.delete(secretOf(world))
    await world.settle()
    expect(accepted(world)).toEqual([hashInSecret(world)])
    expect(before).not.toContain(hashInSecret(world))
  })

  test('keeps its end when it is put back into the Secret, which gets a new string', async () => {
    const world = await tenant()
    const old = secretOf(world)
    const oldHash = hashInSecret(world)
    world.clock.jump(hourMs)
    await world.settle()
    const [, { expiresAt }] = statusOf(world).tokens as [IssuedToken, IssuedToken]
    const { resourceVersion = '' } = secretOf(world).metadata
    await world.kube.replace({ ...old, metadata: { ...old.metadata, resourceVersion } })
    expect(hashInSecret(world)).toBe(oldHash)
    await world.settle()
    expect(hashInSecret(world)).not.toBe(oldHash)
    expect(statusOf(world).tokens.find(({ hash }) => hash === oldHash)?.expiresAt).toBe(expiresAt)
  })

  test('ends as soon where the Token lives for longer since, and a node was away meanwhile', async () => {
    const world = await tenant({ every: '1h', overlap: '10m' })
    await world.edit(tokens, 'writer', { expiresAfter: '100h' })
    await world.settle()
    const old = hashInSecret(world)
    world.nodes.isUnreachable = true
    world.clock.jump(hourMs)
    for (let passes = 0; passes < 4; passes += 1) await world.pass()
    await world.edit(tokens, 'writer', { expiresAfter: '8760h' })
    world.nodes.isUnreachable = false
    const from = world.clock.nowMs()
    await world.settle()
    expect(hashInSecret(world)).not.toBe(old)
    const end = Date.parse(statusOf(world).tokens.find(({ hash }) => hash === old)?.expiresAt ?? '')
    expect(end).toBeGreaterThanOrEqual(from + 10 * minuteMs)
    expect(end).toBeLessThanOrEqual(world.clock.nowMs() + 10 * minuteMs)
  })

  test('is read in its turn while a node is silent', async () => {
    const world = await tenant()
    world.nodes.isUnreachable = true
    world.clock.jump(hourMs)
    await world.pass()
    await world.pass()
    let reads = 0
    const usual = world.kube.world.intercept
    world.kube.world.intercept = (call) => {
      if (call.startsWith('get secrets writer')) reads += 1
      usual(call)
    }
    for (const untilMs = world.clock.nowMs() + minuteMs; world.clock.nowMs() < untilMs;) {
      const { requeueAfterMs } = await world.pass()
      world.clock.jump(requeueAfterMs ?? 1_000)
    }
    expect(reads).toBeLessThanOrEqual(7)
  })

  test('never keeps a new one from its place for longer than it lives', async () => {
    const world = await tenant({ every: '1m', overlap: '1h' })
    for (let minute = 0; minute < 30; minute += 1) {
      world.clock.jump(minuteMs)
      await world.settle()
    }
    expect(statusOf(world).tokens).toHaveLength(16)
    expect(readyOf(world)).toMatchObject({ status: 'True' })
    expect(readyOf(world)?.message).toContain('its rotation waits until 20')
    expect(accepted(world)).toHaveLength(16)
    const waiting = hashInSecret(world)
    world.clock.jump(hourMs)
    await world.settle()
    expect(hashInSecret(world)).not.toBe(waiting)
    expect(readyOf(world)?.message).toBe('accepted by every storage node')
  })
})
