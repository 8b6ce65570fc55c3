import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually, testCluster, type TestCluster } from '../support/kubernetes.ts'
import { runningMs } from '../support/stalls.ts'
import { runtimeNamespaceOf, tenantOf, type Tenant } from '../support/tenant.ts'

// By packets: every way to a storage node or its admin port that is not allowed is closed, each beside a positive control
// from the same pod in the same pass; a policy that somebody deletes is back within 10 s.

let cluster: TestCluster
let marketing: Tenant
let engineering: Tenant
const foreign = `e2e-foreign-${randomBytes(3).toString('hex')}`
const image = 'localhost/busybox:1'

beforeAll(async () => {
  cluster = await testCluster()
  marketing = await tenantOf(cluster, 'marketing', 'marketing-api-token')
  engineering = await tenantOf(cluster, 'engineering', 'engineering-service-token')
  await cluster.kubectl(['create', 'namespace', foreign])
  await Promise.all([startProbe(foreign, 'probe'), startProbe('marketing', 'isolation-probe')])
}, 120_000)

afterAll(async () => {
  await cluster.kubectl([
    'delete',
    'pod',
    'isolation-probe',
    '--namespace',
    'marketing',
    '--ignore-not-found',
    '--grace-period=0',
    '--force',
  ])
  await cluster.kubectl(['delete', 'namespace', foreign, '--ignore-not-found'])
})

/** A pod that may send anything, with a server of its own as the target of controls. Labels as a forger would choose them. */
async function startProbe(namespace: string, name: string): Promise<void> {
  const labels = { 'app.kubernetes.io/name': 'holdfast', 'app.kubernetes.io/component': 'gateway' }
  await cluster.apply(
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, labels },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          { name: 'probe', image, command: ['sh', '-c', 'while true; do echo open | nc -l -p 7777; done'] },
        ],
      },
    }),
  )
  await cluster.kubectl([
    'wait',
    '--namespace',
    namespace,
    `pod/${name}`,
    '--for=condition=Ready',
    '--timeout=90s',
  ])
}

const ipOf = async (namespace: string, pod: string): Promise<string> => {
  const { status } = await cluster.get('pod', pod, '--namespace', namespace)
  return String(status['podIP'])
}

/** Whether a TCP connection from the pod is answered within 2 s. */
async function connects(namespace: string, pod: string, host: string, port: number): Promise<boolean> {
  const output = await cluster.kubectl([
    'exec',
    '--namespace',
    namespace,
    pod,
    '--',
    'sh',
    '-c',
    `nc -w 2 ${host} ${port} </dev/null >/dev/null 2>&1 && echo open || echo closed`,
  ])
  return output.trim() === 'open'
}

/** A control: what is open is found to be, if not by the first packet. */
const reaches = (namespace: string, pod: string, host: string, port: number) =>
  eventually(`control: ${host}:${port} is open`, 20_000, () => connects(namespace, pod, host, port))

describe.each([
  ["a pod of a foreign namespace that wears the gateway's labels", () => [foreign, 'probe'] as const],
  ["a pod of the tenant's own namespace", () => ['marketing', 'isolation-probe'] as const],
])('%s', (_who, where) => {
  test('reaches the gateway, and no port of any storage node', async () => {
    const [namespace, pod] = where()
    const gatewayPods = await cluster.get(
      'pods',
      '--namespace',
      'holdfast-system',
      '--selector',
      'app.kubernetes.io/component=gateway',
    )
    const gatewayIp = String(gatewayPods.items[0]!.status['podIP'])
    await reaches(namespace, pod, gatewayIp, 8086)
    for (const tenant of [marketing, engineering]) {
      const ip = await ipOf(runtimeNamespaceOf(tenant), 'storage-node-0')
      for (const port of [8086, 8087, 9090, 22]) {
        expect(await connects(namespace, pod, ip, port), `${tenant.organization} ${ip}:${port}`).toBe(false)
      }
    }
  })
})

test("a storage node reaches no pod, neither the other's node nor anything else, though its own machine does", async () => {
  const target = await ipOf(foreign, 'probe')
  const other = await ipOf(runtimeNamespaceOf(engineering), 'storage-node-0')
  // The node's image has no shell: its own Node is asked to connect, as code inside it could.
  const attempt = async (namespace: string, host: string, port: number) => {
    const code = `const s=require('net').connect({host:'${host}',port:${port},timeout:2000});s.on('connect',()=>{console.log('open');process.exit()});s.on('timeout',()=>{console.log('closed');process.exit()});s.on('error',()=>{console.log('closed');process.exit()})`
    return (
      await cluster.kubectl([
        'exec',
        '--namespace',
        namespace,
        'storage-node-0',
        '--',
        '/app/node',
        '-e',
        code,
      ])
    ).trim()
  }
  await reaches('marketing', 'isolation-probe', target, 7777)
  const node = runtimeNamespaceOf(marketing)
  await eventually('control: the node can connect at all', 20_000, async () => {
    return (await attempt(node, '127.0.0.1', 8086)) === 'open'
  })
  expect(await attempt(node, target, 7777)).toBe('closed')
  expect(await attempt(node, other, 8086)).toBe('closed')
  expect(await attempt(node, other, 8087)).toBe('closed')
  expect(await attempt(node, '169.254.169.254', 80)).toBe('closed')
})

test('policies deleted by hand are back within 10 s, and closed again', async () => {
  const namespace = runtimeNamespaceOf(marketing)
  const names = async () =>
    (await cluster.get('networkpolicies', '--namespace', namespace)).items
      .map(({ metadata }) => metadata.name)
      .toSorted()
  const before = await names()
  expect(before.length).toBeGreaterThan(0)
  await cluster.kubectl(['delete', 'networkpolicies', '--all', '--namespace', namespace])
  const deletedMs = runningMs()
  await eventually(
    'all policies are back',
    10_000,
    async () => JSON.stringify(await names()) === JSON.stringify(before),
    50,
  )
  const ip = await ipOf(namespace, 'storage-node-0')
  await eventually(
    'the way is closed',
    10_000 - (runningMs() - deletedMs),
    async () => !(await connects(foreign, 'probe', ip, 8086)),
  )
  console.log(`repaired after ${Math.round(runningMs() - deletedMs)} ms`)
})

test("without the gateway's identity a storage node answers nothing but its health, from where packets do pass", async () => {
  // This machine is the pod's own node, which Kubernetes lets through: the identity check stands alone here.
  const ip = await ipOf(runtimeNamespaceOf(marketing), 'storage-node-0')
  const { request, Agent } = await import('undici')
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } })
  const direct = (path: string, port: number) =>
    request(`https://${ip}:${port}${path}`, {
      dispatcher,
      headers: { authorization: `Token ${marketing.token}` },
      headersTimeout: 5_000,
    })
  expect((await direct('/health', 8086)).statusCode, 'control: the node is reachable').toBe(200)
  const query = await direct('/query?db=metrics&q=SHOW+MEASUREMENTS', 8086)
  expect(query.statusCode).toBe(403)
  expect(await query.body.text()).not.toContain('visits')
  await expect(direct('/admin/state', 8087)).rejects.toThrow(/certificate required|handshake|reset|closed/i)
})
