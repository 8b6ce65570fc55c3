import type { KubeObject } from '../../operator/kube/object.ts'
import type { Resource } from '../../operator/kube/resource.ts'
import type { Cluster } from './cluster.ts'

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
