import { expect, test } from 'vitest'
import { idOfUid, runtimeNamespace } from '../../common/ids.ts'
import { TenantWorld } from '../../test/support/tenant-world.ts'
import { resources } from '../kube/resource.ts'
import { conditionsOfRaw } from './write.ts'

// Promise: a Token that is deleted while its storage node is away is not called revoked before that node has said so: it
// starts with the document that it kept, which holds the token.

test.each(['stuck', 'starting'] as const)(
  'a Token goes when the node has answered that was %s',
  async (how) => {
    const world = new TenantWorld()
    const organization = await world.create('Organization', 'acme', {})
    const permissions = [{ database: '*', access: ['read'] }]
    await world.create('Token', 'writer', { organization: 'acme', permissions })
    await world.settle()
    const runtime = runtimeNamespace(idOfUid(organization.metadata.uid!))
    const restartPod = async (pods: TenantWorld['pods']) => {
      world.pods = pods
      await world.kube.delete(world.get(resources.pods, 'storage-node-0', runtime)!)
      await world.cluster()
    }
    const accepted = () => world.nodes.document!.tokens.length
    const token = () => world.get(resources.tokens, 'writer')

    world.nodes.isUnreachable = true
    await restartPod(how)
    await world.remove(resources.tokens, 'writer')
    for (let passes = 0; passes < 3; passes += 1) await world.pass()
    expect(accepted()).toBe(1)
    expect(conditionsOfRaw(token()!).find(({ type }) => type === 'Ready')?.reason).toBe('Deleting')
    expect(world.events.filter((event) => event.includes('TokenRevoked'))).toEqual([])

    world.nodes.isUnreachable = false
    await restartPod('ready')
    await world.settle()
    expect(accepted()).toBe(0)
    expect(token()).toBeUndefined()
    expect(world.events.filter((event) => event.includes('TokenRevoked'))).toHaveLength(1)
  },
)
