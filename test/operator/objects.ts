import type { KubeObject } from '../../operator/kube/object.ts'
import { resources, type Resource } from '../../operator/kube/resource.ts'
import { Cluster } from './cluster.ts'

/** What users do to their objects. */

export const team = 'acme-team'

export function createObject(
  cluster: Cluster,
  kind: string,
  name: string,
  spec: object,
): Promise<KubeObject> {
  const metadata = { name, namespace: team, generation: 1 }
  return cluster.kube.create({ apiVersion: 'holdfast.dev/v1alpha1', kind, metadata, spec })
}

export async function editObject(
  cluster: Cluster,
  resource: Resource,
  name: string,
  spec: object,
): Promise<void> {
  const live = cluster.get(resource, name, team)!
  const { resourceVersion: _version, ...metadata } = live.metadata
  const generation = (metadata.generation ?? 0) + 1
  const merged = { ...(live['spec'] as object), ...spec }
  await cluster.kube.apply({ ...live, metadata: { ...metadata, generation }, spec: merged })
}

export async function annotateObject(
  cluster: Cluster,
  resource: Resource,
  name: string,
  added: Readonly<Record<string, string>>,
): Promise<void> {
  const live = cluster.get(resource, name, team)!
  const { resourceVersion: _version, ...metadata } = live.metadata
  const annotations = { ...metadata.annotations, ...added }
  await cluster.kube.apply({ ...live, metadata: { ...metadata, annotations } })
}

/** As a user would: what is gone already is as good. */
export async function removeObject(
  cluster: Cluster,
  resource: Resource,
  name: string,
  within?: string,
): Promise<void> {
  const live = cluster.get(resource, name, within)
  if (live) await cluster.kube.delete(live)
}

const specs = {
  Organization: (deletionPolicy: string, more: object) => ({ deletionPolicy, ...more }),
  Database: () => ({ organization: 'acme', retention: '720h', deletionPolicy: 'Delete' }),
  Token: () => ({ organization: 'acme', permissions: [{ database: 'metrics', access: ['read', 'write'] }] }),
}

/** All of a tenant, in the order that needs the most patience. */
export async function createAll(cluster: Cluster, deletionPolicy: string, more: object = {}): Promise<void> {
  await createObject(cluster, 'Token', 'writer', specs.Token())
  await createObject(cluster, 'Database', 'metrics', specs.Database())
  await createObject(cluster, 'Organization', 'acme', specs.Organization(deletionPolicy, more))
}

/** A cluster with nothing but the tenant's namespace. */
export async function empty(): Promise<Cluster> {
  const cluster = Cluster.create()
  await cluster.kube.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: team } })
  return cluster
}

/** 32 times this byte, as the customer's key. */
export async function putCustomerKey(cluster: Cluster, byte: number): Promise<void> {
  const data = { key: Buffer.alloc(32, byte).toString('base64') }
  const live = cluster.get(resources.secrets, 'mine', team)
  const metadata = { name: 'mine', namespace: team }
  if (live) await cluster.kube.replace({ ...live, data })
  else await cluster.kube.create({ apiVersion: 'v1', kind: 'Secret', metadata, data })
}
