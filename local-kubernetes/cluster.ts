import { AppError, unreachable } from '../common/errors.ts'
import { tryRun, type Progress } from '../scripts/run.ts'
import { CurrentCluster } from './current-cluster.ts'
import { KindCluster } from './kind-cluster.ts'
import { findProgram } from './programs.ts'
import { SingleNodeCluster } from './single-node/single-node-cluster.ts'

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

/**
 * @param kind `current`, `kind` or `local`; without it, `kind` where Docker runs and kind is installed, else `local`
 * @throws AppError ERR_CLUSTER_KIND for another word
 */
export async function openCluster(kind?: string): Promise<Cluster> {
  const chosen = kind === undefined || kind === '' ? await suitableKind() : clusterKind(kind)
  switch (chosen) {
    case 'current':
      return CurrentCluster.open()
    case 'kind':
      return new KindCluster()
    case 'local':
      return new SingleNodeCluster()
    default:
      return unreachable(chosen)
  }
}

export function clusterKind(word: string): ClusterKind {
  const found = CLUSTER_KINDS.find((kind) => kind === word)
  if (found !== undefined) return found
  throw new AppError(
    'invalid',
    'ERR_CLUSTER_KIND',
    `CLUSTER is ${word}: it must be one of ${CLUSTER_KINDS.join(', ')}`,
  )
}

async function suitableKind(): Promise<ClusterKind> {
  if (findProgram('kind') === undefined || findProgram('docker') === undefined) return 'local'
  return (await tryRun('docker', ['info'], { timeoutMs: 20_000 })) === undefined ? 'local' : 'kind'
}
