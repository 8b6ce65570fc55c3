import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { pathOf, resources } from '../../operator/kube/resource.ts'
import { condition, database, OperatorBench, organization, statusOf } from './operator-bench.ts'
import { eventually, soonMs } from './operator-harness.ts'
import { ProbeStandIn } from './probe-stand-in.ts'

// The operator as a process against a real API server, with what its nodes and the probe find decided by the test: an
// organization is ready when its paths are proved closed, an open one is named and ends that, a request is answered in status.

const kubeconfig = process.env['KUBECONFIG']

describe.skipIf(kubeconfig === undefined)('isolation (KUBECONFIG names the cluster)', () => {
  let bench: OperatorBench
  const address = `127.${1 + (process.pid % 254)}.200.1`
  const probe = new ProbeStandIn(address)

  beforeAll(async () => {
    bench = await OperatorBench.open(kubeconfig!, {
      environment: { HOLDFAST_ISOLATION_PROBE: address, HOLDFAST_ISOLATION_CONTROL: `${address}:8086` },
      isolationRequired: true,
    })
  })

  afterAll(async () => {
    await bench.close()
    await probe.stop()
  })

  const ask = (namespace: string, request: string | null) =>
    bench.server.send('PATCH', pathOf(resources.organizations, { namespace, name: 'acme' }), {
      body: { metadata: { annotations: { 'holdfast.dev/prove': request } } },
      type: 'application/merge-patch+json',
    })
  const isolationOf = async (namespace: string) =>
    condition(await bench.get(resources.organizations, namespace, 'acme'), 'NetworkIsolated')
  const becomes = (namespace: string, status: string, timeoutMs = soonMs) =>
    eventually(`NetworkIsolated is ${status}`, timeoutMs, async () => {
      const found = await isolationOf(namespace)
      if (found?.status !== status) throw new Error(JSON.stringify(found))
      return found
    })

  test('a new organization waits for the probe, its databases do not, and then it is ready', async () => {
    const namespace = await bench.newNamespace()
    await bench.apply(organization(namespace))
    await bench.apply(database(namespace))
    const waiting = await bench.hasReason(resources.organizations, namespace, 'acme', 'IsolationNotChecked')
    expect(condition(waiting, 'Reconciling')?.status).toBe('True')
    await bench.becomesReady(resources.databases, namespace, 'metrics')
    await eventually('the operator has issued the probe’s identity', soonMs, () =>
      probe.start(bench.server, bench.operator.namespace),
    )
    await bench.becomesReady(resources.organizations, namespace, 'acme', 70_000)
    expect((await isolationOf(namespace))?.status).toBe('True')
  })

  test('an open path is named when somebody asks, and what was asked for is answered once', async () => {
    const { namespace, organizationId } = await bench.newTenant()
    const before = await bench.writesAtRest()
    await systemClock.sleep(5_000)
    expect(await bench.operator.writes()).toBe(before)

    bench.nodes.of(organizationId)!.outcome = 'connected'
    await ask(namespace, 'first')
    const open = await becomes(namespace, 'False')
    expect(open.message).toContain('from storage-node-0 to isolation probe')
    const found = await bench.get(resources.organizations, namespace, 'acme')
    expect(condition(found, 'Ready')).toMatchObject({ status: 'False', reason: 'NetworkNotIsolated' })
    const { isolationProof } = statusOf(found)
    expect(isolationProof?.request).toBe('first')
    expect(isolationProof?.paths).toContainEqual({
      from: 'storage-node-0',
      to: 'isolation probe',
      control: 'Reached',
      result: 'Open',
    })
    expect(isolationProof?.paths).toContainEqual({
      from: 'isolation probe',
      to: 'storage-node-0 port 8087',
      control: 'Reached',
      result: 'Closed',
    })

    bench.nodes.of(organizationId)!.outcome = 'silent'
    await ask(namespace, null)
    // Half a minute after the look that found it open.
    await becomes(namespace, 'True', 120_000)
    const healed = await bench.becomesReady(resources.organizations, namespace, 'acme')
    expect(statusOf(healed).isolationProof).toBeUndefined()
  })
})
