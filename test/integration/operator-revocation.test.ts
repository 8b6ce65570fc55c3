import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientPort } from '../../common/admin-api.ts'
import { systemClock } from '../../common/clock.ts'
import { buildPrograms } from '../../local-kubernetes/programs.ts'
import { resources } from '../../operator/kube/resource.ts'
import { OperatorBench, organization, token } from './operator-bench.ts'
import { eventually } from './operator-harness.ts'
import { ControlPlane } from './own-control-plane.ts'
import { RealNode } from './real-node.ts'

// A token that was revoked is refused for ever by the real storage node, whatever the real control plane says later: a
// leader that was stopped before the revocation and goes on after it, an etcd that was restored from before it, an
// Organization that is restored from its retained data. Each beside a token that is accepted all the while.

const { tokens, organizations } = resources

let plane: ControlPlane
let volumes: string
let bench: OperatorBench<RealNode>

async function open(): Promise<void> {
  volumes = await mkdtemp(join(tmpdir(), 'holdfast-volumes-'))
  plane = await ControlPlane.start(await buildPrograms((line) => console.log(line)))
  bench = await OperatorBench.openWith(plane.kubeconfig, (settings) => new RealNode(settings, volumes))
}

async function close(): Promise<void> {
  await bench?.close()
  await plane?.stop()
  await rm(volumes, { recursive: true, force: true })
}

/** What the node answers to a client of the gateway's that shows this token; null where nothing does. */
async function answerTo(organizationId: string, secret: string): Promise<number | null> {
  const identity = await bench.get(resources.secrets, bench.operator.namespace, 'holdfast-gateway-identity')
  const data = identity!['data'] as Readonly<Record<string, string>>
  const pem = (key: string) => Buffer.from(data[key] ?? '', 'base64').toString('utf8')
  const host = bench.nodes.hostOf(organizationId)
  if (host === undefined) return null
  const agent = new Agent({
    connect: {
      ca: pem('ca.crt'),
      cert: pem('tls.crt'),
      key: pem('tls.key'),
      servername: `storage-node.holdfast-${organizationId}.svc`,
    },
  })
  try {
    const { statusCode, body } = await request(`https://${host}:${clientPort}/query?q=SHOW+DATABASES`, {
      dispatcher: agent,
      headers: { authorization: `Token ${secret}` },
    })
    await body.dump()
    return statusCode
  } catch {
    return null
  } finally {
    await agent.close()
  }
}

const answers = (organizationId: string, secret: string, status: number) =>
  eventually(`the node answers ${status}`, 20_000, async () => {
    const answer = await answerTo(organizationId, secret)
    if (answer !== status) throw new Error(String(answer))
    return true
  })

/** Every answer to a token while something goes on, and for two seconds after that. */
async function answersDuring(
  organizationId: string,
  secret: string,
  act: () => Promise<unknown>,
): Promise<ReadonlySet<number>> {
  const seen = new Set<number>()
  let untilMs = Number.POSITIVE_INFINITY
  const looking = (async () => {
    while (performance.now() < untilMs) {
      const answer = await answerTo(organizationId, secret).catch(() => null)
      if (answer !== null) seen.add(answer)
      await systemClock.sleep(50)
    }
  })()
  await act()
  untilMs = performance.now() + 2_000
  await looking
  return seen
}

/** A tenant whose Token `writer` was accepted and is revoked by `revoke`; `reader` is accepted. */
async function newTenant() {
  const tenant = await bench.newTenant()
  await bench.apply(token(tenant.namespace, {}, 'reader'))
  await bench.becomesReady(tokens, tenant.namespace, 'reader')
  const [writer, reader] = await Promise.all([
    bench.tokenString(tenant.namespace),
    bench.tokenString(tenant.namespace, 'reader'),
  ])
  await answers(tenant.organizationId, writer, 200)
  await answers(tenant.organizationId, reader, 200)
  const revoke = async () => {
    await bench.remove(tokens, tenant.namespace, 'writer')
    await bench.isGone(tokens, tenant.namespace, 'writer')
    await answers(tenant.organizationId, writer, 401)
  }
  return { ...tenant, writer, reader, revoke }
}

describe.skipIf(process.env['HOLDFAST_REVOCATION'] === undefined)(
  'make soak: a revoked token stays dead',
  () => {
    beforeAll(open)
    afterAll(close)

    test('a leader that was stopped before the revocation and goes on after it', async () => {
      const { organizationId, writer, reader, revoke, namespace } = await newTenant()
      // Work that it is stopped in, with what it knows now.
      for (let touch = 0; touch < 5; touch += 1)
        void bench.apply(token(namespace, { description: String(touch) }, 'reader'))
      const wake = await bench.operator.replaceFrozen()
      await revoke()
      const dead = await answersDuring(organizationId, writer, wake)
      expect([...dead]).toEqual([401])
      expect(await answerTo(organizationId, reader)).toBe(200)
    })

    test('an etcd that was restored from before it', async () => {
      const { organizationId, namespace, writer, reader, revoke } = await newTenant()
      const before = await bench.get(tokens, namespace, 'writer')
      await plane.backUp()
      await revoke()
      await bench.operator.stop()
      const dead = await answersDuring(organizationId, writer, async () => {
        await plane.restore()
        // The Token is back, with its Secret and what its status says of the string.
        const back = await bench.get(tokens, namespace, 'writer')
        expect([back?.metadata.uid, back?.['status']]).toEqual([before?.metadata.uid, before?.['status']])
        expect(await bench.tokenString(namespace)).toBe(writer)
        await bench.operator.start()
        // It is no dead end: it has another string.
        await eventually('another string is accepted', 40_000, async () => {
          const string = await bench.tokenString(namespace)
          return string !== writer && (await answerTo(organizationId, string)) === 200
        })
      })
      expect([...dead]).toEqual([401])
      expect(await answerTo(organizationId, reader)).toBe(200)
    })

    test('an Organization that is restored from its data', async () => {
      const { organizationId, namespace, runtime, writer, reader } = await newTenant()
      await bench.remove(organizations, namespace, 'acme')
      await bench.isGone(organizations, namespace, 'acme')
      bench.namespaces.push(runtime)
      // Nobody could tell the node of this one.
      await bench.remove(tokens, namespace, 'writer')
      await bench.isGone(tokens, namespace, 'writer')
      await bench.apply(organization(namespace, { restoreFrom: { organizationId } }))
      await bench.becomesReady(organizations, namespace, 'acme')
      await answers(organizationId, reader, 200)
      expect(await answerTo(organizationId, writer)).toBe(401)
    })
  },
)
