import type { Progress } from '../scripts/run.ts'

export const CLUSTER_KINDS = ['current', 'kind', 'local'] as const
export type ClusterKind = (typeof CLUSTER_KINDS)[number]

/** What tests do to a control plane of our own. */
export interface ControlPlaneFaults {
  /** Ends the API server and starts it again: every watch ends, and for a moment nothing can be read or written. */
  restartApiServer(): Promise<void>
  /**
   * Keeps a pod from the API server for a while.
   * @param how reset: what is open is cut and nothing new opens; silence: packets vanish
   */
  cutOff(podAddress: string, how: 'reset' | 'silence', lastsMs: number): Promise<void>
}

/** A Kubernetes to install Holdfast on. */
export interface Cluster {
  readonly kind: ClusterKind
  /** Path of the kubeconfig with an administrator's rights; it is there after `up`. */
  readonly kubeconfig: string
  /** Paths of programs that fit the cluster's version; they are there after `up`. */
  readonly kubectl: string
  readonly helm: string
  /** Where this machine reaches the node ports; empty if that is not known. */
  readonly nodeAddress: string
  /** The API server's audit log, a JSON event a line, writes only; undefined where it cannot be had. */
  readonly auditLog: string | undefined
  /** undefined where the control plane is not ours. */
  readonly faults: ControlPlaneFaults | undefined
  isUp(): Promise<boolean>
  /** Brings it up, or repairs it; does nothing, quickly, if it is up. */
  up(progress: Progress): Promise<void>
  /** Makes the images of Docker archives (`writeImageArchive`) available to pods on every node. */
  loadImages(archives: readonly string[]): Promise<void>
  /** Takes away all that `up` made, the data in it too. A cluster that `up` did not make stays as it is. */
  down(progress?: Progress): Promise<void>
}
