import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '../../local-kubernetes/cluster.ts'
import { openCluster } from '../../local-kubernetes/open-cluster.ts'
import { gatewayUrl } from '../../scripts/install.ts'
import { run } from '../../scripts/run.ts'
import { runningMs } from './stalls.ts'

/** The cluster that `make up` left running, as the tests use it: through kubectl, like anybody. */
export interface TestCluster {
  readonly cluster: Cluster
  /** The one address of all tenants, from this machine. */
  readonly gateway: string
  kubectl(args: readonly string[], input?: string): Promise<string>
  /** Parsed `kubectl get -o json`. */
  get(...args: readonly string[]): Promise<KubernetesObject>
  apply(yaml: string): Promise<void>
  /** One value of a Secret, decoded. */
  secret(namespace: string, name: string, key: string): Promise<string>
}

export interface KubernetesObject {
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly uid: string
    readonly resourceVersion: string
    readonly labels?: Readonly<Record<string, string>>
  }
  // oxfmt-ignore
  readonly items: readonly KubernetesObject[]
  readonly spec: Readonly<Record<string, unknown>>
  readonly status: Readonly<Record<string, unknown>>
  readonly data: Readonly<Record<string, string>>
}

/** A text of an object's status. @throws Error if it is not there: a test must not go on with `undefined` */
export function statusText(object: KubernetesObject, field: string): string {
  const value = object.status[field]
  if (typeof value !== 'string') throw new Error(`${object.metadata.name} has no status.${field}`)
  return value
}

export async function testCluster(): Promise<TestCluster> {
  const cluster = await openCluster(process.env['CLUSTER'])
  const kubectl = (args: readonly string[], input?: string) =>
    run(cluster.kubectl, ['--kubeconfig', cluster.kubeconfig, ...args], {
      timeoutMs: 5 * 60_000,
      ...(input === undefined ? {} : { input }),
    })
  return {
    cluster,
    gateway: gatewayUrl(cluster),
    kubectl,
    get: async (...args) => JSON.parse(await kubectl(['get', ...args, '-o', 'json'])) as KubernetesObject,
    apply: async (yaml) => void (await kubectl(['apply', '-f', '-'], yaml)),
    secret: async (namespace, name, key) => {
      const template = `{{index .data "${key}" | base64decode}}`
      return kubectl(['get', 'secret', name, '--namespace', namespace, '-o', `go-template=${template}`])
    },
  }
}

/**
 * Calls `attempt` until it returns something other than undefined or false.
 * @throws Error with `what` and the last failure once `timeoutMs` have passed in which the machine did not stand still
 */
export async function eventually<T>(
  what: string,
  timeoutMs: number,
  attempt: () => Promise<T | undefined | false>,
  everyMs = 200,
): Promise<T> {
  const deadlineMs = runningMs() + timeoutMs
  let last: unknown = 'no answer yet'
  for (;;) {
    try {
      const result = await attempt()
      if (result !== undefined && result !== false) return result
    } catch (error) {
      last = error
    }
    if (runningMs() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause: last })
    await sleep(everyMs)
  }
}
