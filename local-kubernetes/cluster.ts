import type { Progress } from '../scripts/run.ts'

export const CLUSTER_KINDS = ['current', 'kind', 'local'] as const
export type ClusterKind = (typeof CLUSTER_KINDS)[number]

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
  isUp(): Promise<boolean>
  /** Brings it up, or repairs it; does nothing, quickly, if it is up. */
  up(progress: Progress): Promise<void>
  /** Makes the images of Docker archives (`writeImageArchive`) available to pods on every node. */
  loadImages(archives: readonly string[]): Promise<void>
  /** Takes away all that `up` made, the data in it too. A cluster that `up` did not make stays as it is. */
  down(progress?: Progress): Promise<void>
}
