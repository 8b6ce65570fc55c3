import { AppError } from '../common/errors.ts'
import type { ClusterKind } from '../local-kubernetes/cluster.ts'
import { clusterKind } from '../local-kubernetes/open-cluster.ts'

/**
 * The cluster that tests run on: the single node of our own, since they need its audit log, its images and folders of
 * its machine. Any other must be meant, by a variable that nobody sets by habit: tests kill pods, cut networks and
 * delete what they made.
 *
 * @throws AppError ERR_TEST_CLUSTER if CLUSTER names another one and HOLDFAST_TEST_CLUSTER does not
 */
export function testClusterKind(environment: Readonly<Record<string, string | undefined>>): ClusterKind {
  const kind = clusterKind(environment['CLUSTER'] || 'local')
  if (kind === 'local' || environment['HOLDFAST_TEST_CLUSTER'] === kind) return kind
  const what =
    kind === 'current' ? 'the cluster that kubectl talks to now, whoever uses it' : 'a cluster of kind'
  throw new AppError(
    'invalid',
    'ERR_TEST_CLUSTER',
    `CLUSTER=${kind} is ${what}: tests kill pods and delete things there, and some fail without the audit log and the images of our own single node. Leave CLUSTER away to test on that one; if ${kind} is meant, set HOLDFAST_TEST_CLUSTER=${kind} as well`,
  )
}
