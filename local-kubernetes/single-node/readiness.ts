import { Resolver } from 'node:dns/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../../common/errors.ts'
import { spanOf } from '../../scripts/run.ts'
import { API_SERVER } from './components.ts'
import {
  CLUSTER_DOMAIN,
  DNS_ADDRESS,
  KUBERNETES_SERVICE_ADDRESS,
  NODE_ADDRESS,
  NODE_NAME,
  paths,
  program,
} from './layout.ts'
import { get, type ClientIdentity } from './probe.ts'

const READY_TIMEOUT_MS = 120_000
const READY_INTERVAL_MS = 200
const ADDONS = ['coredns', 'local-path-provisioner'] as const

/**
 * Waits until the cluster can be used.
 *
 * @throws AppError ERR_CLUSTER_NOT_READY, or what went wrong the last time, after two minutes
 */
export async function untilReady(identity: ClientIdentity): Promise<void> {
  const untilMs = performance.now() + READY_TIMEOUT_MS
  for (;;) {
    try {
      if (await isNodeReady(identity)) return
    } catch (error) {
      if (performance.now() > untilMs) throw error
    }
    if (performance.now() > untilMs) {
      throw new AppError(
        'unavailable',
        'ERR_CLUSTER_NOT_READY',
        `the node or one of ${ADDONS.join(', ')} is not ready after ${spanOf(READY_TIMEOUT_MS)}: see ${program('kubectl')} --kubeconfig ${paths.adminKubeconfig} get nodes,pods -A, and ${paths.log}`,
      )
    }
    await sleep(READY_INTERVAL_MS)
  }
}

interface Conditions {
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

/** True if pods can be started, reached and found by name, and volumes are provided. */
export async function isNodeReady(identity: ClientIdentity): Promise<boolean> {
  const isTrue = async (path: string, type: string) => {
    const object = JSON.parse(await get(`${API_SERVER}${path}`, identity)) as Conditions
    return object.status.conditions?.some((one) => one.type === type && one.status === 'True') ?? false
  }
  const deployments = '/apis/apps/v1/namespaces/kube-system/deployments'
  const ready = await Promise.all([
    isTrue(`/api/v1/nodes/${NODE_NAME}`, 'Ready'),
    ...ADDONS.map((name) => isTrue(`${deployments}/${name}`, 'Available')),
    knowsPods(identity),
    answersNames(),
  ])
  return ready.every(Boolean)
}

/** A kubelet that has just started is healthy before it knows of any pod, and would refuse `kubectl exec` and `logs`. */
async function knowsPods(identity: ClientIdentity): Promise<boolean> {
  const pods = JSON.parse(await get(`https://${NODE_ADDRESS}:10250/pods`, identity)) as {
    readonly items?: readonly unknown[]
  }
  return (pods.items?.length ?? 0) > 0
}

/** Asked through the service's own address, which takes the proxy, the pods' network and the DNS server to work. */
async function answersNames(): Promise<boolean> {
  const resolver = new Resolver({ timeout: 1_000, tries: 1 })
  resolver.setServers([DNS_ADDRESS])
  const addresses = await resolver.resolve4(`kubernetes.default.svc.${CLUSTER_DOMAIN}`)
  return addresses.includes(KUBERNETES_SERVICE_ADDRESS)
}
