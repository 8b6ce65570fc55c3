import { describe, expect, test } from 'vitest'
import { TenantWorld } from '../../test/support/tenant-world.ts'
import { resources } from '../kube/resource.ts'

// A deleted Token is refused by every node within 2 s, with 1,000 Tokens beside it, whatever else a pass has to do,
// with an API server of which the operator asks 100 things a second.

const permissions = [{ database: '*', access: ['read'] }]
const limitMs = 2_000

async function tenant(count: number): Promise<TenantWorld> {
  const world = new TenantWorld()
  await world.create('Organization', 'acme', {})
  for (let index = 0; index < count; index += 1)
    await world.create('Token', `token-${index}`, { organization: 'acme', permissions })
  await world.settle()
  expect(world.nodes.document?.tokens).toHaveLength(count)
  world.requestMs = 10
  return world
}

/**
 * Deletes Tokens one after another, at every moment of passes that follow each other without a pause.
 * @returns how long each was still accepted, milliseconds
 */
async function revocations(world: TenantWorld, names: readonly string[], everyMs: number) {
  const tookMs: number[] = []
  const waiting = [...names]
  let nextMs = world.clock.monotonicMs()
  const deleted = new Map<string, number>()
  const look = (): void => {
    const nowMs = world.clock.monotonicMs()
    const accepted = new Set(world.nodes.document?.tokens.map(({ id }) => id))
    for (const [id, atMs] of deleted) {
      if (accepted.has(id)) continue
      deleted.delete(id)
      tookMs.push(nowMs - atMs)
    }
    const name = nowMs >= nextMs ? waiting.shift() : undefined
    if (name === undefined) return
    nextMs = nowMs + everyMs
    const token = world.get(resources.tokens, name)
    const status = token?.['status'] as { tokens: readonly { id: string }[] }
    deleted.set(status.tokens[0]!.id, nowMs)
    void world.remove(resources.tokens, name)
  }
  world.meanwhile = look
  for (let passes = 0; passes < 500 && (waiting.length > 0 || deleted.size > 0); passes += 1) {
    look()
    await world.pass()
    look()
  }
  world.meanwhile = () => undefined
  return tookMs
}

const names = (from: number, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `token-${from + index}`)

describe('with 1,000 Tokens', () => {
  test.each([
    ['whose Secrets are due', async (world: TenantWorld) => world.clock.jump(300_000)],
    [
      'whose Secrets are due after a restart',
      async (world: TenantWorld) => {
        world.restart()
        await world.pass()
        world.clock.jump(60_000)
      },
    ],
  ])('%s', async (_when, prepare) => {
    const world = await tenant(1_000)
    await prepare(world)
    const tookMs = await revocations(world, names(100, 10), 700)
    expect(tookMs).toHaveLength(10)
    expect(Math.max(...tookMs)).toBeLessThan(limitMs)
  })

  test('that come all at once', async () => {
    const world = await tenant(20)
    for (let index = 20; index < 1_020; index += 1)
      await world.create('Token', `token-${index}`, { organization: 'acme', permissions })
    const tookMs = await revocations(world, names(0, 10), 1_500)
    expect(tookMs).toHaveLength(10)
    expect(Math.max(...tookMs)).toBeLessThan(limitMs)
    world.requestMs = 0
    await world.settle()
    expect(world.nodes.document?.tokens).toHaveLength(1_010)
    expect(world.nodes.refusals).toEqual([])
  })

  test('of which half are deleted at once', async () => {
    const world = await tenant(1_000)
    for (const name of names(0, 500)) await world.remove(resources.tokens, name)
    await world.pass()
    const tookMs = await revocations(world, names(600, 5), 900)
    expect(Math.max(...tookMs)).toBeLessThan(limitMs)
    world.requestMs = 0
    await world.settle()
    expect(world.all(resources.tokens)).toHaveLength(495)
  })

  test('all Secrets are looked at in time, and one that was edited is a new string', async () => {
    const world = await tenant(1_000)
    world.restart()
    const secret = world.get(resources.secrets, 'token-999')!
    await world.kube.replace({ ...secret, data: { token: '' } })
    const before = world.nodes.document!.tokens.map(({ id }) => id)
    // A process that has just begun takes the word of the one before it for one round of looks, 20 a second.
    await world.pass()
    world.clock.jump(50_000)
    const startMs = world.clock.monotonicMs()
    let isSettled = false
    for (let passes = 0; passes < 200 && !isSettled; passes += 1) {
      const { requeueAfterMs = 0 } = await world.pass()
      isSettled = requeueAfterMs > 1_000
    }
    expect(isSettled).toBe(true)
    expect(world.clock.monotonicMs() - startMs).toBeLessThan(15_000)
    const after = world.nodes.document!.tokens.map(({ id }) => id)
    expect(after.filter((id) => !before.includes(id))).toHaveLength(1)
    expect(after).toHaveLength(1_000)
  })
})
