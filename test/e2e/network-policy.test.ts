import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { eventually, testCluster, type TestCluster } from '../support/kubernetes.ts'
import { runningMs, stalledMs } from '../support/stalls.ts'

// NetworkPolicies hold for real packets between real pods, within two seconds of every change. Beside each closed path an
// open one is tried in the same pass, so that a network that carries nothing proves nothing.

const run = randomBytes(4).toString('hex')
const shop = `np-${run}-shop`
const other = `np-${run}-other`
const image = 'localhost/busybox:1'
const inForceMs = 2_000

/** `pod` of a namespace: the two servers of `shop` listen on 8080, named http, and 8081. */
const pods = {
  web: { namespace: shop, serves: true },
  db: { namespace: shop, serves: true },
  buyer: { namespace: shop, serves: false },
  guest: { namespace: other, serves: false },
  spy: { namespace: other, serves: false },
} as const
type PodName = keyof typeof pods

let cluster: TestCluster
let isUp = false
const address = new Map<PodName, string>()

beforeAll(async () => {
  cluster = await testCluster()
  isUp = await cluster.cluster.isUp()
  if (!isUp) return
  await applyAll([...[shop, other].map(namespace), ...podNames().map(pod), service('web')])
  await Promise.all(
    [shop, other].map((name) =>
      cluster.kubectl(['wait', 'pod', '--all', '--for=condition=Ready', '--timeout=180s', '-n', name]),
    ),
  )
  for (const name of podNames()) {
    const { status } = await cluster.get('pod', name, '-n', pods[name].namespace)
    address.set(name, status['podIP'] as string)
  }
}, 300_000)

beforeEach((context) => {
  if (!isUp) context.skip('no cluster is up: `make up` starts one')
})

afterEach(async () => {
  if (isUp) await cluster.kubectl(['delete', 'networkpolicy', '--all', '-n', shop])
})

afterAll(async () => {
  if (isUp) await cluster.kubectl(['delete', 'namespace', shop, other, '--wait=false', '--ignore-not-found'])
})

describe('without policies', () => {
  test('everybody reaches everybody', async () => {
    expect(
      await wrongPaths({ 'guest > web:8080': true, 'spy > web:8081': true, 'buyer > db:8080': true }),
    ).toEqual([])
  })
})

describe('default deny', () => {
  test('closes the namespace both ways, its own pods included, and deleting it opens it again', async () => {
    await applyAll([deny('Ingress', 'Egress')])
    expect(
      await wrongPaths({
        'guest > web:8080': false,
        'buyer > web:8080': false,
        'web > db:8080': false,
        ...control,
      }),
    ).toEqual([])
    await cluster.kubectl(['delete', 'networkpolicy', 'deny', '-n', shop])
    expect(
      await wrongPaths({ 'guest > web:8080': true, 'buyer > web:8080': true, 'web > db:8080': true }),
    ).toEqual([])
  })

  test('of one direction leaves the other open', async () => {
    await applyAll([deny('Egress')])
    expect(await wrongPaths({ 'guest > web:8080': true, 'buyer > web:8080': false })).toEqual([])
    await applyAll([deny('Ingress')])
    expect(await wrongPaths({ 'guest > web:8080': false, 'buyer > guest:9090': true })).toEqual([])
  })

  test('never cuts the node off: probes of the kubelet still pass', async () => {
    const readySince = async () => {
      const { status } = await cluster.get('pod', 'web', '-n', shop)
      return (status['conditions'] as { type: string; status: string; lastTransitionTime: string }[])
        .filter(({ type }) => type === 'Ready')
        .map((condition) => `${condition.status} since ${condition.lastTransitionTime}`)
    }
    const before = await readySince()
    await applyAll([deny('Ingress', 'Egress')])
    expect(await wrongPaths({ 'guest > web:8080': false, ...control })).toEqual([])
    await sleep(3_000)
    expect(await readySince()).toEqual(before)
    expect(before[0]).toMatch(/^True/)
  })
})

describe('what a policy allows passes, and nothing beside it', () => {
  test('pods by label, of its own namespace only', async () => {
    await applyAll([policy('p', { podSelector: app('web'), ingress: [{ from: [{ podSelector: {} }] }] })])
    expect(
      await wrongPaths({ 'buyer > web:8080': true, 'guest > web:8080': false, 'guest > db:8080': true }),
    ).toEqual([])
    await applyAll([
      policy('p', { podSelector: app('web'), ingress: [{ from: [{ podSelector: app('db') }] }] }),
    ])
    expect(await wrongPaths({ 'db > web:8080': true, 'buyer > web:8080': false })).toEqual([])
  })

  test('pods of a namespace: both selectors must hold, by labels and by expressions', async () => {
    const inOther = { matchLabels: { 'kubernetes.io/metadata.name': other } }
    const notSpies = { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['spy'] }] }
    const from = [{ namespaceSelector: inOther, podSelector: notSpies }]
    await applyAll([policy('p', { podSelector: app('web'), ingress: [{ from }] })])
    expect(
      await wrongPaths({ 'guest > web:8080': true, 'spy > web:8080': false, 'buyer > web:8080': false }),
    ).toEqual([])
  })

  test('a block of addresses without its exception', async () => {
    const block = { cidr: '0.0.0.0/0', except: [`${address.get('spy')}/32`] }
    await applyAll([policy('p', { podSelector: app('web'), ingress: [{ from: [{ ipBlock: block }] }] })])
    expect(
      await wrongPaths({ 'guest > web:8080': true, 'buyer > web:8080': true, 'spy > web:8080': false }),
    ).toEqual([])
  })

  test.each<[string, object[], boolean, boolean]>([
    ['by number', [{ port: 8080 }], true, false],
    ['by name', [{ port: 'http' }], true, false],
    ['by range', [{ port: 8081, endPort: 8090 }], false, true],
    ['of another protocol', [{ protocol: 'UDP', port: 8080 }, { port: 8081 }], false, true],
    ['all of TCP', [{ protocol: 'TCP' }], true, true],
  ])('ports %s', async (_name, ports, first, second) => {
    await applyAll([policy('p', { podSelector: app('web'), ingress: [{ ports }] })])
    expect(await wrongPaths({ 'guest > web:8080': first, 'guest > web:8081': second })).toEqual([])
  })

  test('egress by selector and named port, also through a Service', async () => {
    const to = [{ podSelector: app('web') }]
    await applyAll([
      policy('p', {
        podSelector: app('buyer'),
        policyTypes: ['Egress'],
        egress: [{ to, ports: [{ port: 'http' }] }],
      }),
    ])
    const { spec } = await cluster.get('service', 'web', '-n', shop)
    const serviceIp = spec['clusterIP'] as string
    expect(
      await wrongPaths({
        'buyer > web:8080': true,
        [`buyer > ${serviceIp}:80`]: true,
        'buyer > web:8081': false,
        [`buyer > ${serviceIp}:81`]: false,
        [`guest > ${serviceIp}:81`]: true,
        'buyer > db:8080': false,
      }),
    ).toEqual([])
  })

  test('DNS over UDP alone', async () => {
    const dns = { protocol: 'UDP', port: 53 }
    const kubeSystem = { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } }
    await applyAll([deny('Egress')])
    expect(await wrongPaths({ 'buyer > web:8080': false, 'guest > web:8080': true })).toEqual([])
    expect(await resolves('buyer')).toBe(false)
    await eventually('names resolve without a policy', 20_000, () => resolves('guest'))
    await applyAll([
      policy('dns', {
        podSelector: {},
        policyTypes: ['Egress'],
        egress: [{ to: [{ namespaceSelector: kubeSystem }], ports: [dns] }],
      }),
    ])
    await eventually('names resolve', inForceMs, () => resolves('buyer'))
    expect(await wrongPaths({ 'buyer > web:8080': false, 'guest > web:8080': true })).toEqual([])
  })

  test('policies add up, and taking one away takes only its own', async () => {
    const allow = (name: string, from: object) =>
      policy(name, { podSelector: app('web'), ingress: [{ from: [from] }] })
    const inOther = { matchLabels: { 'kubernetes.io/metadata.name': other } }
    await applyAll([
      deny('Ingress'),
      allow('buyers', { podSelector: app('buyer') }),
      allow('guests', { namespaceSelector: inOther, podSelector: app('guest') }),
    ])
    expect(
      await wrongPaths({ 'buyer > web:8080': true, 'guest > web:8080': true, 'spy > web:8080': false }),
    ).toEqual([])
    await cluster.kubectl(['delete', 'networkpolicy', 'guests', '-n', shop])
    expect(
      await wrongPaths({ 'buyer > web:8080': true, 'guest > web:8080': false, 'spy > web:8080': false }),
    ).toEqual([])
  })
})

describe('changes that are not to a policy count as well', () => {
  test('labels of a pod and of a namespace', async () => {
    const from = [{ namespaceSelector: { matchLabels: { trusted: 'yes' } }, podSelector: app('vip') }]
    await applyAll([policy('p', { podSelector: app('web'), ingress: [{ from }] })])
    expect(await wrongPaths({ 'guest > web:8080': false, 'guest > db:8080': true })).toEqual([])
    await cluster.kubectl(['label', 'namespace', other, 'trusted=yes'])
    await cluster.kubectl(['label', 'pod', 'guest', 'app=vip', '--overwrite', '-n', other])
    expect(await wrongPaths({ 'guest > web:8080': true, 'spy > web:8080': false })).toEqual([])
    await cluster.kubectl(['label', 'pod', 'guest', 'app=guest', '--overwrite', '-n', other])
    expect(await wrongPaths({ 'guest > web:8080': false, 'guest > db:8080': true })).toEqual([])
  })

  test('a connection that stands is cut when it is no longer allowed, and only then', async () => {
    const talk = `(while true; do echo x; sleep 0.1; done | nc ${address.get('web')} 8080 > /tmp/echoes) >/dev/null 2>&1 &`
    await Promise.all([shell('guest', talk), shell('spy', talk)])
    const echoes = async (from: PodName) => Number(await shell(from, 'wc -l < /tmp/echoes'))
    await eventually(
      'both talk',
      60_000,
      async () => (await echoes('guest')) > 0 && (await echoes('spy')) > 0,
    )
    const from = [{ namespaceSelector: {}, podSelector: app('guest') }]
    await applyAll([policy('p', { podSelector: app('web'), ingress: [{ from }] })])
    expect(await wrongPaths({ 'guest > web:8080': true, 'spy > web:8080': false })).toEqual([])
    const [free, cut] = [await echoes('guest'), await echoes('spy')]
    // A line each tenth of a second.
    await eventually('the free one goes on', 60_000, async () => (await echoes('guest')) > free + 7)
    expect(await echoes('spy')).toBe(cut)
  })

  test('a pod that has just started is never open before its policies', async () => {
    await applyAll([deny('Ingress', 'Egress')])
    expect(await wrongPaths({ 'buyer > web:8080': false, ...control })).toEqual([])
    // From its very first instant each tries to get out, as fast as it can.
    const target = address.get('db')!
    await applyAll([
      policy('db-open', { podSelector: app('db'), ingress: [{}] }),
      hasty('hasty-shop', shop, target),
      hasty('hasty-other', other, target),
    ])
    const attempts = (name: string, namespace: string) => cluster.kubectl(['logs', name, '-n', namespace])
    await eventually('the free one gets through', 120_000, async () =>
      (await attempts('hasty-other', other)).includes('through'),
    )
    await eventually(
      'the isolated one has tried often enough',
      120_000,
      async () => (await attempts('hasty-shop', shop)).split('\n').length > 5,
    )
    expect(await attempts('hasty-shop', shop)).not.toContain('through')
  })
})

/** Open whatever the policies of `shop` say: it shows that packets flow at all. */
const control = { 'guest > spy:9090': true } as const

/** `from > to:port` by names of pods or by address, and whether it must be open. */
type Paths = Readonly<Record<`${PodName} > ${string}:${number}`, boolean>>

/** How often each path is tried at once: all must agree, so that one packet lost says nothing. */
const tries = 2
/** After so many the machine is as it is. */
const fairPasses = 20

/**
 * Waits until all paths are as they must be, with packets that were sent no later than two seconds after now: the
 * moment at which the API server has taken the last change.
 * @returns the paths that were not
 */
async function wrongPaths(paths: Paths): Promise<readonly string[]> {
  const changedMs = runningMs()
  for (let passesLeft = fairPasses; ; passesLeft -= 1) {
    const [startedMs, stalledBeforeMs] = [runningMs(), stalledMs()]
    const passed = await passages(Object.keys(paths))
    const wrong = Object.entries(paths).flatMap(([path, open]) =>
      passed.filter((one) => one === path).length === (open ? tries : 0) ? [] : [path],
    )
    const isFair = stalledMs() === stalledBeforeMs
    const isLate = startedMs - changedMs > inForceMs
    if (wrong.length === 0 || (isLate && (isFair || passesLeft <= 0))) return wrong
  }
}

/**
 * Tries all paths at once, by one command in each pod that they start from.
 * @returns a path for each of its tries that got through
 */
async function passages(paths: readonly string[]): Promise<readonly string[]> {
  const bySource = Map.groupBy(paths, (path) => path.split(' > ')[0] as PodName)
  const answers = await Promise.all(
    [...bySource].map(([from, own]) => {
      const attempts = own.flatMap((path) => Array.from({ length: tries }, () => attempt(path)))
      return shell(from, `${attempts.join('\n')}\nwait`)
    }),
  )
  return answers.flatMap((answer) => answer.split('\n'))
}

/** Says the path itself if the other end sends back what it was sent. */
function attempt(path: string): string {
  const [, to, port] = / > ([\w.]+):(\d+)$/.exec(path)!
  const target = address.get(to as PodName) ?? to
  return `{ [ "$(echo x | timeout 2 nc -w 1 ${target} ${port})" = x ] && echo '${path}'; } 2>/dev/null &`
}

async function resolves(from: PodName): Promise<boolean> {
  const answer = await shell(
    from,
    'timeout 1 nslookup kubernetes.default.svc.cluster.local >/dev/null 2>&1 && echo yes || echo no',
  )
  return answer.trim() === 'yes'
}

function shell(from: PodName, script: string): Promise<string> {
  return cluster.kubectl(['exec', from, '-n', pods[from].namespace, '--', 'sh', '-c', script])
}

const podNames = (): readonly PodName[] => Object.keys(pods) as PodName[]
const app = (name: string) => ({ matchLabels: { app: name } })

function applyAll(objects: readonly object[]): Promise<void> {
  return cluster.apply(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
}

function namespace(name: string): object {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
}

function policy(name: string, spec: object): object {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace: shop },
    spec,
  }
}

function deny(...policyTypes: readonly string[]): object {
  return policy('deny', { podSelector: {}, policyTypes })
}

function service(name: string): object {
  const ports = [
    { name: 'http', port: 80, targetPort: 8080 },
    { name: 'more', port: 81, targetPort: 8081 },
  ]
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: shop },
    spec: { selector: { app: name }, ports },
  }
}

function pod(name: PodName): object {
  const { namespace, serves } = pods[name]
  const listen = serves ? 'nc -ll -p 8081 -e cat & nc -ll -p 8080 -e cat' : 'nc -ll -p 9090 -e cat'
  return podOf(name, namespace, `${listen} & trap exit TERM; while true; do sleep 1; done`, {
    ports: serves ? [{ name: 'http', containerPort: 8080 }] : [],
    readinessProbe: { tcpSocket: { port: serves ? 8080 : 9090 }, periodSeconds: 1, failureThreshold: 1 },
  })
}

/** A pod that tries to open a connection ten times a second and logs how each attempt went. */
function hasty(name: string, namespace: string, target: string): object {
  const attempt = `timeout 1 nc -w 1 ${target} 8080 </dev/null && echo through || echo closed`
  return podOf(name, namespace, `trap exit TERM; while true; do ${attempt}; sleep 0.1; done`, {})
}

function podOf(name: string, namespace: string, script: string, more: object): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { app: name } },
    spec: {
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      containers: [
        { name: 'shell', image, imagePullPolicy: 'IfNotPresent', command: ['sh', '-c', script], ...more },
      ],
    },
  }
}
