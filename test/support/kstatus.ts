import type { KubeObject } from '../../operator/kube/object.ts'

export type KStatus = 'InProgress' | 'Failed' | 'Current' | 'Terminating'

interface Status {
  readonly observedGeneration?: number
  readonly conditions?: readonly { readonly type: string; readonly status: string }[]
}

/**
 * What kstatus, the library by which Flux and Helm 4 judge health, says of an object of a kind that it does not know: in its
 * order, and to its letter. An object without a status is Current to it.
 */
export function kstatusOf(object: KubeObject): KStatus {
  if (object.metadata.deletionTimestamp !== undefined) return 'Terminating'
  const { observedGeneration, conditions = [] } = (object['status'] ?? {}) as Status
  if (observedGeneration !== undefined && observedGeneration !== object.metadata.generation)
    return 'InProgress'
  const statusOf = (type: string) => conditions.find((condition) => condition.type === type)?.status
  if (statusOf('Reconciling') === 'True') return 'InProgress'
  if (statusOf('Stalled') === 'True') return 'Failed'
  const ready = statusOf('Ready')
  return ready === undefined || ready === 'True' ? 'Current' : 'InProgress'
}
