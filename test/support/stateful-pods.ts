import { createHash } from 'node:crypto'
import { canonicalJson } from '../../common/state-document.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { storageNodeLabels } from '../../operator/naming/labels.ts'
import { storageNode } from '../../operator/naming/names.ts'

/** What a StatefulSet controller and a kubelet say, as far as the operator reads it. */

interface Template {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> }
  readonly spec: { readonly containers: readonly { readonly image: string }[] }
}

const templateOf = (set: KubeObject): Template => (set['spec'] as { readonly template: Template }).template

export const imageOfSet = (set: KubeObject): string => templateOf(set).spec.containers[0]!.image

const revisions = new WeakMap<Template, string>()

export function revisionOfSet(set: KubeObject): string {
  const template = templateOf(set)
  const known = revisions.get(template)
  if (known !== undefined) return known
  const revision = createHash('sha256').update(canonicalJson(template)).digest('hex').slice(0, 10)
  revisions.set(template, revision)
  return revision
}

const revisionLabel = 'controller-revision-hash'
export const revisionOfPod = (pod: KubeObject): string => pod.metadata.labels?.[revisionLabel] ?? ''

/** The first pod of a StatefulSet, as the newest spec has it. */
export function podOfSet(set: KubeObject, status: object): KubeObject {
  const namespace = set.metadata.namespace!
  const labels = {
    ...storageNodeLabels(namespace.slice('holdfast-'.length)),
    [revisionLabel]: revisionOfSet(set),
  }
  const metadata = { name: `${storageNode}-0`, namespace, labels }
  return { apiVersion: 'v1', kind: 'Pod', metadata, status }
}

/** What a StatefulSet's status is to be, null where it is that. */
export function newSetStatus(
  set: KubeObject,
  pod: KubeObject | undefined,
): Readonly<Record<string, unknown>> | null {
  const isFresh = pod !== undefined && revisionOfPod(pod) === revisionOfSet(set)
  const status = {
    observedGeneration: set.metadata.generation,
    readyReplicas: Number(pod !== undefined && isReady(pod)),
    updatedReplicas: Number(isFresh),
    updateRevision: revisionOfSet(set),
  }
  return canonicalJson(set['status'] ?? {}) === canonicalJson(status) ? null : status
}

export function isReady(pod: KubeObject): boolean {
  const status = pod['status'] as { conditions?: readonly { type: string; status: string }[] } | undefined
  return status?.conditions?.some(({ type, status: said }) => type === 'Ready' && said === 'True') ?? false
}

export const runningStatus = (isReadyNow: boolean) => ({
  podIP: '192.0.2.1',
  conditions: [{ type: 'Ready', status: isReadyNow ? 'True' : 'False' }],
  containerStatuses: [{ restartCount: 0, state: { running: {} } }],
})

/** Of a pod whose image does not come. */
export const stuckStatus = {
  conditions: [{ type: 'Ready', status: 'False' }],
  containerStatuses: [
    { restartCount: 0, state: { waiting: { reason: 'ImagePullBackOff', message: 'no such image' } } },
  ],
}
