import { expect, test } from 'vitest'
import { idOfUid, runtimeNamespace } from '../../common/ids.ts'
import { TenantWorld } from '../../test/support/tenant-world.ts'
import type { KubeObject } from '../kube/object.ts'
import { resources } from '../kube/resource.ts'

// Policies add up, so one that somebody else puts into a runtime namespace opens what all of ours close: it goes,
// whatever it is called and labelled, and the Organization says so. Nobody else's namespace is touched.

const opensAll = (name: string, namespace: string, labels: Readonly<Record<string, string>>): KubeObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, namespace, labels },
  spec: { podSelector: {}, ingress: [{}], egress: [{}], policyTypes: ['Ingress', 'Egress'] },
})

test.each([[{}], [{ backup: { schedule: '0 3 * * *', destination: 'nightly' } }]])(
  'with the spec %j',
  async (spec) => {
    const world = new TenantWorld()
    const made = await world.create('Organization', 'acme', {})
    const id = idOfUid(made.metadata.uid!)
    const runtime = runtimeNamespace(id)
    await world.settle()
    const before = world.all(resources.networkPolicies).length
    await world.edit(resources.organizations, 'acme', spec)
    await world.kube.create(opensAll('open', runtime, {}))
    await world.kube.create(opensAll('allow-direct', runtime, {}))
    await world.kube.create(opensAll('disguised', runtime, { 'holdfast.dev/organization-id': id }))
    await world.kube.create(opensAll('theirs', 'their-namespace', {}))
    await world.settle()
    const names = world.all(resources.networkPolicies).map(({ metadata }) => metadata.name)
    expect(names).not.toContain('open')
    expect(names).not.toContain('allow-direct')
    expect(names).not.toContain('disguised')
    expect(names).toContain('theirs')
    expect(names).toHaveLength(before + 1)
    const told = world.events.filter((text) => text.startsWith('Warning ForeignPolicyRemoved'))
    expect(told.toSorted()).toEqual([
      'Warning ForeignPolicyRemoved NetworkPolicy allow-direct in the runtime namespace was not made by the operator',
      'Warning ForeignPolicyRemoved NetworkPolicy open in the runtime namespace was not made by the operator',
    ])
  },
)
