import { beforeAll, beforeEach, expect, test } from 'vitest'
import { releaseNamespace } from '../../scripts/install.ts'
import { eventually, testCluster, type KubernetesObject, type TestCluster } from '../support/kubernetes.ts'
import { listenerRows } from '../support/listeners-page.ts'
import { listeningPorts } from '../support/listening-ports.ts'
import { processesOfPod } from '../support/processes.ts'

// In each pod of ours exactly those ports are open that docs/reference/listeners.md names, on whatever address: as the kernel
// tells of the pod's network, so that what a library or Node.js itself opens is seen as well.

const componentLabel = 'app.kubernetes.io/component'
const rows = listenerRows()
const components = new Set(rows.flatMap(({ component }) => component ?? []))
/** Nodes are told of their certificates and documents before they listen. */
const patienceMs = 60_000

let cluster: TestCluster
let isUp = false

beforeAll(async () => {
  cluster = await testCluster()
  isUp = await cluster.cluster.isUp()
})

beforeEach((context) => {
  if (!isUp) context.skip('no cluster is up: `make up` starts one')
})

/** Pods of the release and those that the operator has made. Others may carry our labels, too: tests of isolation do. */
async function ownPods(): Promise<readonly KubernetesObject[]> {
  const { items } = await cluster.get('pods', '--all-namespaces')
  return items.filter(
    ({ metadata, status }) =>
      (metadata.namespace === releaseNamespace || /^holdfast-[0-9a-f]{16}$/.test(metadata.namespace)) &&
      status['phase'] === 'Running',
  )
}

const componentOf = ({ metadata }: KubernetesObject): string => metadata.labels?.[componentLabel] ?? 'none'

/** The name of the pod whose operator leads. */
async function leader(): Promise<string> {
  const { spec } = await cluster.get('lease', 'holdfast-operator', '--namespace', releaseNamespace)
  return String(spec['holderIdentity']).split('_')[0]!
}

/** What the page says of a pod. */
function documented(pod: KubernetesObject, leads: boolean): readonly number[] {
  const ports = rows
    .filter(({ component, open }) => component === componentOf(pod) && (leads || open === 'always'))
    .map(({ port }) => port!)
  return [...new Set(ports)].toSorted((a, b) => a - b)
}

async function openPorts(pod: KubernetesObject): Promise<readonly number[]> {
  const programs = (await processesOfPod(pod.metadata.uid)).filter(({ command }) => command.includes('/app/'))
  if (programs.length === 0) throw new Error(`no program runs in ${pod.metadata.name}`)
  return listeningPorts(programs[0]!.pid)
}

test('every pod listens where the page says, and nowhere else', async () => {
  // Pods and the leader may change while they are looked at: other tests have just gone.
  await eventually('the ports of all pods are those of the page', patienceMs, async () => {
    const [pods, leading] = [await ownPods(), await leader()]
    expect(new Set(pods.map(componentOf))).toEqual(components)
    const found = await Promise.all(
      pods.map(async (pod) => [pod.metadata.name, await openPorts(pod)] as const),
    )
    const wanted = pods.map(
      (pod) => [pod.metadata.name, documented(pod, pod.metadata.name === leading)] as const,
    )
    expect(found).toEqual(wanted)
    return true
  })
})
