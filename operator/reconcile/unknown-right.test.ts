import { expect, test } from 'vitest'
import { AppError } from '../../common/errors.ts'
import type { Condition } from '../api/conditions.ts'
import type { Organization } from '../api/organization.ts'
import { resources } from '../kube/resource.ts'
import { TenantWorld } from '../../test/support/tenant-world.ts'

// A right that was bound a moment ago, and that the API server does not know yet, is no failure: it is tried again soon
// and quietly. A right that never comes is one.

/** A world whose API server refuses the operator all Secrets until `allow`. */
async function refusing() {
  const world = new TenantWorld()
  const { intercept } = world.kube.world
  let isRefusing = true
  world.kube.world.intercept = (call) => {
    intercept(call)
    if (isRefusing && call.includes(' secrets '))
      throw new AppError('forbidden', 'ERR_KUBE_FORBIDDEN', `${call}: 403`)
  }
  await world.create('Organization', 'acme', {})
  return { world, allow: () => (isRefusing = false) }
}

function ready(world: TenantWorld): Condition {
  const { conditions } = world.get(resources.organizations, 'acme')!['status'] as NonNullable<
    Organization['status']
  >
  return conditions.find(({ type }) => type === 'Ready')!
}

test('no pass fails, the next comes soon, and the tenant is served once the right is known', async () => {
  const { world, allow } = await refusing()
  for (let pass = 0; pass < 10; pass += 1) {
    const { requeueAfterMs } = await world.pass()
    expect(requeueAfterMs).toBeGreaterThan(0)
    expect(requeueAfterMs).toBeLessThan(500)
    expect(ready(world)).toMatchObject({ status: 'False', reason: 'Progressing' })
  }
  expect(ready(world).message).toContain('rights are being bound')
  expect(world.events.filter((event) => event.startsWith('Warning'))).toEqual([])
  allow()
  await world.settle()
  expect(ready(world).status).toBe('True')
})

test('a right that is not known after some quick tries fails the pass, with what the API server says', async () => {
  const { world, allow } = await refusing()
  const passes: unknown[] = []
  for (let pass = 0; pass < 60; pass += 1)
    passes.push(
      await world.pass().then(
        () => 'again',
        (error: AppError) => error.code,
      ),
    )
  expect(passes.indexOf('ERR_KUBE_FORBIDDEN')).toBeGreaterThan(20)
  expect(passes.at(-1)).toBe('ERR_KUBE_FORBIDDEN')
  expect(ready(world)).toMatchObject({ reason: 'ApiRefused', message: expect.stringContaining('403') })
  allow()
  await world.settle()
  expect(ready(world).status).toBe('True')
})
