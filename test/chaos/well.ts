import { eventually, type KubernetesObject, type TestCluster } from '../support/kubernetes.ts'
import type { Account } from './account.ts'
import type { Attempt } from './recovery.ts'

interface Condition {
  readonly type: string
  readonly status: string
}

interface Listed extends KubernetesObject {
  readonly kind: string
  readonly metadata: KubernetesObject['metadata'] & {
    readonly generation?: number
    readonly deletionTimestamp?: string
  }
}

/**
 * Waits until all is well: every resource of ours and every pod is Ready, the operator has taken up a change, and each
 * tenant had an answer, of requests that were made after `fromMs`.
 * @returns how long that took, milliseconds
 * @throws Error that names what is missing after `limitMs`
 */
export async function untilWell(
  cluster: TestCluster,
  accounts: readonly Account[],
  changes: readonly Attempt[],
  fromMs: number,
  limitMs: number,
): Promise<number> {
  return eventually(
    'all is well again',
    limitMs,
    async () => {
      const unanswered = accounts
        .filter(({ queries }) => !hasSucceeded(queries, fromMs))
        .map(({ tenant }) => `an answer for ${tenant.organization}`)
      const untaken = hasSucceeded(changes, fromMs) ? [] : ['a change that the operator takes up']
      const missing = [...unanswered, ...untaken, ...(await unready(cluster))]
      if (missing.length > 0) throw new Error(`missing: ${missing.join(', ')}`)
      return performance.now() - fromMs
    },
    500,
  )
}

const hasSucceeded = (attempts: readonly Attempt[], fromMs: number): boolean =>
  attempts.some(({ ok, startedMs }) => ok && startedMs >= fromMs)

async function unready(cluster: TestCluster): Promise<readonly string[]> {
  const [resources, pods] = await Promise.all([
    cluster.get('org,hdb,htok', '--all-namespaces'),
    cluster.get('pods', '--all-namespaces', '--selector', 'app.kubernetes.io/name=holdfast'),
  ])
  return ([...resources.items, ...pods.items] as unknown as readonly Listed[])
    .filter((object) => !isReady(object))
    .map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name} Ready`)
}

function isReady({ kind, metadata, status }: Listed): boolean {
  const conditions = (status['conditions'] ?? []) as readonly Condition[]
  const says = conditions.some((one) => one.type === 'Ready' && one.status === 'True')
  if (kind === 'Pod') return says && metadata.deletionTimestamp === undefined
  return says && status['observedGeneration'] === metadata.generation
}
