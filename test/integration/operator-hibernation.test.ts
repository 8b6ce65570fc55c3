import { Agent, request } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { mintToken } from '../../common/token.ts'
import type { TlsMaterial } from '../../common/tls.ts'
import type { DoorAnswer } from '../../gateway/holds.ts'
import { WakeDoor } from '../../gateway/wake-door.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { resources } from '../../operator/kube/resource.ts'
import { OperatorBench, condition, token } from './operator-bench.ts'
import { eventually, soonMs } from './operator-harness.ts'

// What hibernates when idle sleeps by what its node says, and wakes by what the gateway is handed: with the identities
// that the operator issues, the rights that the chart gives, and whatever operator leads. Nobody else wakes anybody.

const noConnection = /ECONNREFUSED|ECONNRESET|EPIPE|certificate|socket|other side closed/i

const kubeconfig = process.env['KUBECONFIG']

describe.skipIf(kubeconfig === undefined)('hibernation when idle (KUBECONFIG names the cluster)', () => {
  let bench: OperatorBench
  let gateway: WakeDoor

  beforeAll(async () => {
    bench = await OperatorBench.open(kubeconfig!)
    gateway = await doorAs(bench.operator.namespace, 'holdfast-gateway-identity')
  })

  afterAll(async () => {
    await gateway.close()
    await bench.close()
  })

  async function materialOf(namespace: string, name: string): Promise<TlsMaterial> {
    const secret = await bench.get(resources.secrets, namespace, name)
    const data = (secret?.['data'] ?? {}) as Readonly<Record<string, string>>
    const [certificate, key, authority] = ['tls.crt', 'tls.key', 'ca.crt'].map((field) =>
      Buffer.from(data[field] ?? '', 'base64'),
    )
    return { certificate: certificate!, key: key!, authority: authority! }
  }

  /** The door as a gateway calls it that has the identity of a Secret. */
  async function doorAs(namespace: string, name: string): Promise<WakeDoor> {
    const door = new WakeDoor({ host: '127.0.0.1', port: bench.operator.wakePort })
    door.renew(await materialOf(namespace, name))
    return door
  }

  const ask = (organizationId: string, text: string): Promise<DoorAnswer> =>
    gateway.ask(organizationId, text, AbortSignal.timeout(5_000))
  const acme = (namespace: string) => bench.get(resources.organizations, namespace, 'acme')
  const stepOf = (object: KubeObject | null): unknown =>
    (object?.['status'] as { hibernation?: { step?: unknown } } | undefined)?.hibernation?.step

  async function newSleeper() {
    const tenant = await bench.newTenant({ hibernation: 'WhenIdle', idleAfter: '1m' })
    const strings = { writer: await bench.tokenString(tenant.namespace) }
    bench.nodes.of(tenant.organizationId)!.idleMs = 3_600_000
    await bench.touch(resources.organizations, tenant.namespace, 'acme')
    await eventually(
      'it hibernates',
      60_000,
      async () => stepOf(await acme(tenant.namespace)) === 'Hibernated',
    )
    return { ...tenant, strings }
  }

  test('it sleeps without a write, and wakes for a token that is in force alone', async () => {
    const { namespace, organizationId, runtime, strings } = await newSleeper()
    expect(condition(await acme(namespace), 'Ready')).toMatchObject({ status: 'True', reason: 'Hibernated' })
    expect(await bench.get(resources.pods, runtime, 'storage-node-0')).toBeNull()
    await bench.isGone(resources.networkPolicies, runtime, 'allow-gateway', 20_000)
    const writes = await bench.writesAtRest()

    expect(await ask(organizationId, mintToken(organizationId))).toBe('denied')
    expect(await ask('0123456789abcdef', mintToken('0123456789abcdef'))).toBe('denied')
    expect(await bench.writesAtRest()).toBe(writes)

    await bench.apply(token(namespace, {}, 'leaver'))
    await bench.becomesReady(resources.tokens, namespace, 'leaver')
    const leaver = await bench.tokenString(namespace, 'leaver')
    await bench.remove(resources.tokens, namespace, 'leaver')
    await bench.isGone(resources.tokens, namespace, 'leaver')
    expect(await ask(organizationId, leaver)).toBe('denied')
    expect(stepOf(await acme(namespace))).toBe('Hibernated')

    expect(await ask(organizationId, strings.writer)).toBe('waking')
    await eventually(
      'it is awake',
      60_000,
      async () => (await ask(organizationId, strings.writer)) === 'awake',
    )
    expect(await bench.get(resources.networkPolicies, runtime, 'allow-gateway')).not.toBeNull()
    await bench.becomesReady(resources.organizations, namespace, 'acme')
    expect(stepOf(await acme(namespace))).toBeUndefined()
    expect(bench.hashesOn(organizationId)).toHaveLength(1)
    // Nobody waits for an event to be written.
    await eventually('both steps have their events', soonMs, async () => {
      const events = await bench.server.send('GET', `/api/v1/namespaces/${namespace}/events`)
      const reasons = (events.body['items'] as readonly { reason: string }[]).map(({ reason }) => reason)
      return ['Hibernating', 'Waking'].every((reason) => reasons.includes(reason))
    })
    const log = await bench.operator.log()
    for (const text of [strings.writer, leaver]) expect(log).not.toContain(text)
  })

  test('an operator that is killed as it wakes an organization is followed by one that goes on', async () => {
    const { namespace, organizationId, strings } = await newSleeper()
    expect(await ask(organizationId, strings.writer)).toBe('waking')
    await bench.operator.stop('SIGKILL')
    await expect(ask(organizationId, strings.writer)).rejects.toThrow(noConnection)
    await bench.operator.start()
    await eventually(
      'it is awake',
      60_000,
      async () => (await ask(organizationId, strings.writer)) === 'awake',
    )
    await bench.becomesReady(resources.organizations, namespace, 'acme')
  })

  test('nobody but the gateway is let in', async () => {
    const { organizationId, runtime, namespace } = await bench.newTenant()
    const text = await bench.tokenString(namespace)
    expect(await ask(organizationId, text)).toBe('awake')
    const node = await materialOf(runtime, 'storage-node-tls')
    const own = await materialOf(bench.operator.namespace, 'holdfast-gateway-identity')
    expect(() => new WakeDoor({ host: '127.0.0.1', port: bench.operator.wakePort }).renew(node)).toThrow(
      'no gateway',
    )
    const url = `https://127.0.0.1:${bench.operator.wakePort}/wake`
    const call = (who: Partial<TlsMaterial>) => rawPost(url, own.authority!, who)
    await expect(call({})).rejects.toThrow(noConnection)
    await expect(call({ certificate: node.certificate, key: node.key })).rejects.toThrow(noConnection)
    expect(await call({ certificate: own.certificate, key: own.key })).toBe(401)
  })
})

/** A request with any identity, or none. @returns the status */
async function rawPost(url: string, ca: Buffer, { certificate, key }: Partial<TlsMaterial>): Promise<number> {
  const dispatcher = new Agent({
    connect: {
      ca,
      checkServerIdentity: () => undefined,
      ...(certificate && key && { cert: certificate, key }),
    },
  })
  try {
    const { statusCode, body } = await request(url, { method: 'POST', dispatcher })
    await body.dump()
    return statusCode
  } finally {
    await dispatcher.destroy()
  }
}
