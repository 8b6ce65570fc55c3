import { unreachable } from '../../common/errors.ts'
import { eventually, type TestCluster } from '../support/kubernetes.ts'
import { killProgram, selectorOf, type Component } from '../support/processes.ts'
import { runtimeNamespaceOf } from '../support/tenant.ts'
import type { Account } from './account.ts'
import type { Fault, FaultKind } from './faults.ts'
import type { Struck } from './struck.ts'

const systemNamespace = 'holdfast-system'
/** What an earlier fault has ended must first be there again. How soon that must be is not asked here. */
const targetMs = 180_000
const cutMs = 3_000
/** Longer than a request waits, shorter than a lease lasts. */
const silenceMs = 12_000

/** @throws Error where there is nothing to strike within three minutes */
export async function strike(
  cluster: TestCluster,
  { kind, tenant }: Fault,
  accounts: readonly Account[],
): Promise<Struck> {
  const runtime = runtimeNamespaceOf(accounts[tenant]!.tenant)
  return { kind, tenant, atMs: await struckMs(cluster, kind, runtime) }
}

async function struckMs(cluster: TestCluster, kind: FaultKind, runtime: string): Promise<number> {
  switch (kind) {
    case 'operator killed':
      return killed(cluster, systemNamespace, 'operator')
    case 'operator pod deleted':
      return deleted(cluster, systemNamespace, 'operator')
    case 'gateway killed':
      return killed(cluster, systemNamespace, 'gateway')
    case 'gateway pod deleted':
      return deleted(cluster, systemNamespace, 'gateway')
    case 'storage node killed':
      return killed(cluster, runtime, 'storage-node')
    case 'storage node pod deleted':
      return deleted(cluster, runtime, 'storage-node')
    case 'API server restarted': {
      const atMs = performance.now()
      await faultsOf(cluster).restartApiServer()
      return atMs
    }
    case 'watches cut':
      return cutOff(cluster, 'reset', cutMs)
    case 'watches frozen':
      return cutOff(cluster, 'silence', silenceMs)
    default:
      return unreachable(kind)
  }
}

function faultsOf({ cluster }: TestCluster) {
  if (!cluster.faults) throw new Error(`the control plane of ${cluster.kind} is not ours`)
  return cluster.faults
}

const killed = (cluster: TestCluster, namespace: string, component: Component): Promise<number> =>
  eventually(`a ${component} to kill`, targetMs, async () => {
    await killProgram(cluster, namespace, component)
    return performance.now()
  })

const deleted = (cluster: TestCluster, namespace: string, component: Component): Promise<number> =>
  eventually(`a ${component} pod to delete`, targetMs, async () => {
    const atMs = performance.now()
    const selector = selectorOf(component)
    const args = ['delete', 'pod', '--namespace', namespace, '--selector', selector, '--wait=false']
    return (await cluster.kubectl(args)) !== '' && atMs
  })

async function cutOff(cluster: TestCluster, how: 'reset' | 'silence', lastsMs: number): Promise<number> {
  const podAddress = await eventually("the operator's address", targetMs, async () => {
    const pods = await cluster.get(
      'pods',
      '--namespace',
      systemNamespace,
      '--selector',
      selectorOf('operator'),
    )
    return pods.items.map(({ status }) => status['podIP']).find((address) => typeof address === 'string')
  })
  const atMs = performance.now()
  await faultsOf(cluster).cutOff(podAddress, how, lastsMs)
  return atMs
}
