import type { KubeObject } from '../kube/object.ts'
import { storageNodeSelector } from '../naming/labels.ts'
import { storageNode } from '../naming/names.ts'
import { runtimeMetadata, type DesiredInput } from './input.ts'

/** One replicated storage node may be evicted at a time. A single one gets no budget: it would block every drain. */
export function podDisruptionBudget(input: DesiredInput): KubeObject | null {
  if (input.organization.spec.storage.replicas === 1) return null
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: runtimeMetadata(input, storageNode),
    spec: { maxUnavailable: 1, selector: { matchLabels: storageNodeSelector } },
  }
}
