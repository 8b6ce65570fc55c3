import { idOfUid, runtimeNamespace } from '../../common/ids.ts'
import type { Organization } from '../../operator/api/organization.ts'
import { resources } from '../../operator/kube/resource.ts'
import { storageNode } from '../../operator/naming/names.ts'
import { TenantWorld } from './tenant-world.ts'

export const minuteMs = 60_000

/** An organization that is ready, and what of it changes while its pods do. */
export async function tenant(spec: object = {}) {
  const world = new TenantWorld()
  const made = await world.create('Organization', 'acme', spec)
  await world.settle()
  return { world, runtime: runtimeNamespace(idOfUid(made.metadata.uid!)) }
}
export type Tenant = Awaited<ReturnType<typeof tenant>>

const organization = ({ world }: Tenant) =>
  world.get(resources.organizations, 'acme') as unknown as Organization
export const status = (of: Tenant) => organization(of).status!
export const condition = (of: Tenant, type: string) =>
  status(of).conditions.find((found) => found.type === type)!
export const setOf = ({ world, runtime }: Tenant) => world.get(resources.statefulSets, storageNode, runtime)!
export const podOf = ({ world, runtime }: Tenant) => world.get(resources.pods, `${storageNode}-0`, runtime)!
export const imageIn = (of: Tenant) => /"image":"([^"]+)"/.exec(JSON.stringify(setOf(of)['spec']))![1]
export const eventsOf = ({ world }: Tenant, reason: string) =>
  world.events.filter((event) => event.split(' ')[1] === reason)
export const choose = ({ world }: Tenant, spec: object) => world.edit(resources.organizations, 'acme', spec)

/** Sets an annotation of the Organization, as `kubectl annotate --overwrite` does. */
export async function annotate({ world }: Tenant, annotations: Record<string, string>): Promise<void> {
  await world.kube.patchMetadata(world.get(resources.organizations, 'acme')!, { annotations })
}

/** Passes and the cluster's rounds over this time, with a process for each that is killed. */
export async function rounds({ world }: Tenant, lastMs = 30_000): Promise<void> {
  for (let passedMs = 0; passedMs <= lastMs; passedMs += 10_000) {
    await world.pass()
    await world.cluster()
    if (world.killed) world.restart()
    world.clock.jump(10_000)
  }
}

/** An organization that was to have 0.2.0, which does not come up, and has gone back. */
export async function rolledBack(): Promise<Tenant> {
  const of = await tenant()
  of.world.brokenImages.add('example/node-2')
  await choose(of, { version: '0.2.0' })
  await rounds(of, 11 * minuteMs)
  if (status(of).upgrade?.phase !== 'RolledBack') throw new Error(JSON.stringify(status(of)))
  return of
}
