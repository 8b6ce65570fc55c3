import { expect, test } from 'vitest'
import { AppError } from '../../common/errors.ts'
import type { Condition } from '../api/conditions.ts'
import type { Organization } from '../api/organization.ts'
import { resources } from '../kube/resource.ts'
import { quotaName } from '../naming/names.ts'
import { namespace, TenantWorld } from '../../test/support/tenant-world.ts'

// Whoever may write RoleBindings in a tenant's namespace, and so be in the way of the operator's right to its Secrets,
// keeps no revocation, no repair and no deletion from taking place.

const refusals = [
  new AppError('forbidden', 'ERR_KUBE_FORBIDDEN', 'ValidatingAdmissionPolicy denied request'),
  new AppError('invalid', 'ERR_KUBE_INVALID', 'cannot change roleRef'),
  new AppError('unavailable', 'ERR_KUBE', 'a webhook does not answer'),
]

/** A tenant that is served, whose RoleBinding then goes another way than the operator can mend. */
async function frozen(refusal: AppError, spec = {}) {
  const world = new TenantWorld()
  await world.create('Organization', 'acme', spec)
  await world.create('Token', 'writer', {
    organization: 'acme',
    permissions: [{ database: '*', access: ['read'] }],
  })
  await world.settle()
  const binding = world.get(resources.roleBindings, 'holdfast-operator')!
  await world.kube.apply({ ...binding, subjects: [] })
  world.kube.world.admit = (_verb, { kind, metadata }) => {
    if (kind === 'RoleBinding' && metadata.namespace === namespace) throw refusal
  }
  return world
}

function ready(world: TenantWorld): Condition {
  const { conditions } = world.get(resources.organizations, 'acme')!['status'] as NonNullable<
    Organization['status']
  >
  return conditions.find(({ type }) => type === 'Ready')!
}

/** Passes until quick tries are over; those that fail are made again. */
async function passes(world: TenantWorld): Promise<void> {
  for (let pass = 0; pass < 60; pass += 1) {
    world.clock.jump(11_000)
    await world.pass().catch(() => undefined)
    await world.cluster()
  }
}

test.each(refusals)('"$message" keeps nothing else from coming into force, and is said', async (refusal) => {
  const world = await frozen(refusal)
  expect(world.nodes.document?.tokens).toHaveLength(1)
  await world.remove(resources.tokens, 'writer')
  const runtime = world.all(resources.statefulSets)[0]!.metadata.namespace
  await world.kube.delete(world.get(resources.resourceQuotas, quotaName, runtime)!)
  await passes(world)
  expect(world.nodes.document?.tokens).toEqual([])
  expect(world.get(resources.resourceQuotas, quotaName, runtime)).toBeDefined()
  expect(ready(world)).toMatchObject({ status: 'False', reason: 'ApiRefused' })
  expect(ready(world).message).toContain(refusal.message)
})

test.each(['Retain', 'Delete'])(
  'with deletionPolicy %s the Organization comes to its end',
  async (policy) => {
    const world = await frozen(refusals[0]!, { deletionPolicy: policy })
    await world.remove(resources.organizations, 'acme')
    await passes(world)
    expect(world.get(resources.organizations, 'acme')).toBeUndefined()
    expect(world.all(resources.statefulSets)).toEqual([])
  },
)
