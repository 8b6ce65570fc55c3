import { AppError, unreachable } from '../common/errors.ts'
import { tryRun } from '../scripts/run.ts'
import { CLUSTER_KINDS, type Cluster, type ClusterKind } from './cluster.ts'
import { CurrentCluster } from './current-cluster.ts'
import { KindCluster } from './kind-cluster.ts'
import { findProgram } from './programs.ts'
import { SingleNodeCluster } from './single-node/single-node-cluster.ts'

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
