import type { PodReport, PodView, Runtime, StatefulSetView } from '../observe/runtime.ts'
import { progressing, ready, stalled, type Standing } from './standing.ts'

/**
 * How an organization's storage nodes stand, out of what runs and what they said of the document that they should
 * serve. The first thing that is not as it should be is told.
 */
export function storageNodesStanding(
  runtime: Pick<Runtime, 'pods' | 'claims'> & {
    readonly statefulSet: Pick<StatefulSetView, 'replicas' | 'rolledOut'> | null
  },
  reports: readonly PodReport[],
  wasReady: boolean,
): Standing {
  const { statefulSet, pods, claims } = runtime
  if (!statefulSet) return progressing('Progressing', 'the storage node is being made')
  const notReady = wasReady ? 'StorageNodeNotReady' : 'StorageNodeStarting'
  const refusal = reports.find(({ result }) => result === 'refused')
  if (refusal?.result === 'refused') {
    return stalled('NodeRefused', `${refusal.pod.name} refused the state document: ${refusal.message}`)
  }
  const unbound = claims.find(({ bound }) => !bound)
  if (unbound && pods.some(({ running }) => !running)) {
    const storageClass = unbound.storageClass ?? 'the default one'
    return progressing('VolumePending', `claim ${unbound.name} of storage class ${storageClass} is not bound`)
  }
  const troubled = pods.find((pod) => !pod.ready && pod.trouble !== null)
  if (troubled) return progressing(notReady, `${troubled.name}: ${troubled.trouble}`)
  const silent = reports.find(({ result, pod }) => result === 'unreachable' && pod.ready)
  if (silent?.result === 'unreachable') {
    return progressing('NodeUnreachable', `${silent.pod.name} does not answer: ${silent.message}`)
  }
  const serving = servingPods(pods)
  const well = `${serving.length} of ${statefulSet.replicas} storage nodes ready`
  if (serving.length < statefulSet.replicas) return progressing(notReady, well)
  if (!statefulSet.rolledOut) return progressing(notReady, `${well}, not all as the StatefulSet has them yet`)
  if (!everyNodeConfirmed(pods, reports)) {
    return progressing('AwaitingConfirmation', 'the storage node has not confirmed its state document yet')
  }
  return troubledStanding(reports, well)
}

/** What fails while there is room for writes is said and no more; queries are answered all the while. */
function troubledStanding(reports: readonly PodReport[], well: string): Standing {
  const troubles = reports.flatMap(({ pod, troubles: said = [] }) =>
    said.map((trouble) => ({ ...trouble, pod: pod.name })),
  )
  const worst = troubles.find(({ refusesWrites }) => refusesWrites) ?? troubles[0]
  if (!worst) return ready(well)
  const text = `${worst.pod}: ${worst.message}, again and again since ${worst.since}`
  if (!worst.refusesWrites) return ready(`${well}; ${text}`)
  return stalled(
    'WritesRefused',
    `${text}; writes are answered 503, queries work. It tries on and takes writes when an attempt succeeds`,
  )
}

/** Those that clients are sent to. */
export function servingPods(pods: readonly PodView[]): readonly PodView[] {
  return pods.filter((pod) => pod.ready && !pod.terminating)
}

/** At least one node serves, and all that serve have confirmed the document. */
export function everyNodeConfirmed(pods: readonly PodView[], reports: readonly PodReport[]): boolean {
  const serving = servingPods(pods)
  return serving.length > 0 && serving.every((pod) => confirmed(pod, reports))
}

/**
 * A node serves the document, and none serves another one. What a node has confirmed is in force there: it is served from
 * that moment on, which the kubelet sees seconds later.
 */
export function isServed(pods: readonly PodView[], reports: readonly PodReport[]): boolean {
  const staying = pods.filter(({ terminating }) => !terminating)
  return (
    staying.some((pod) => confirmed(pod, reports)) &&
    staying.every((pod) => !pod.ready || confirmed(pod, reports))
  )
}

/**
 * No node serves anything that the document no longer holds: every pod whose container runs has confirmed it, however
 * it stands otherwise. Of a pod that does not run nothing is said: it may start with the document that it kept.
 */
export function nowhereElse(pods: readonly PodView[], reports: readonly PodReport[]): boolean {
  return pods.filter(({ running }) => running).every((pod) => confirmed(pod, reports))
}

function confirmed(pod: PodView, reports: readonly PodReport[]): boolean {
  return reports.some((report) => report.result === 'confirmed' && report.pod.uid === pod.uid)
}
