import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { resources } from '../../operator/kube/resource.ts'
import { OperatorBench, condition } from './operator-bench.ts'
import { eventually } from './operator-harness.ts'

// Promise: everything that the operator issues is renewed before its end and written once, while the operator and its
// nodes go on talking, on a real API server, with certificates that last seconds.

const kubeconfig = process.env['KUBECONFIG']
const lifetimeMs = 15_000

describe.skipIf(kubeconfig === undefined)(
  'certificates that last seconds (KUBECONFIG names the cluster)',
  () => {
    let bench: OperatorBench

    beforeAll(async () => {
      const certificates = { lifetime: `${lifetimeMs}ms`, authorityLifetime: '1h' }
      bench = await OperatorBench.open(kubeconfig!, { platform: { certificates } })
      bench.nodes.followsCertificates = true
    })

    afterAll(() => bench.close())

    async function certificateIn(namespace: string, name: string): Promise<X509Certificate> {
      const secret = await bench.get(resources.secrets, namespace, name)
      const data = secret?.['data'] as Readonly<Record<string, string>>
      return new X509Certificate(Buffer.from(data['tls.crt']!, 'base64'))
    }

    test('are renewed in time, and the organization is Ready all along', async () => {
      const { namespace, organizationId, runtime } = await bench.newTenant()
      const own = bench.operator.namespace
      const places = [
        [runtime, 'storage-node-tls'],
        [own, 'holdfast-gateway-identity'],
        [own, 'holdfast-gateway-tls'],
        [own, 'holdfast-isolation-probe-identity'],
      ] as const
      const seen = new Map(places.map(([, name]) => [name, new Set<string>()]))
      const writesBefore = await bench.operator.writes()
      const pushes = (await bench.operator.log()).split('state document not in force').length
      const faults: unknown[] = []
      await eventually('everything was renewed twice', 120_000, async () => {
        for (const [place, name] of places) {
          const lookedMs = Date.now()
          const certificate = await certificateIn(place, name)
          if (certificate.validToDate.getTime() <= lookedMs) faults.push(`${name} has ended`)
          seen.get(name)!.add(certificate.serialNumber)
        }
        const ready = condition(await bench.get(resources.organizations, namespace, 'acme'), 'Ready')
        if (ready?.status !== 'True') faults.push(ready)
        return [...seen.values()].every(({ size }) => size >= 3)
      })
      expect(faults).toEqual([])
      const renewals = [...seen.values()].reduce((sum, { size }) => sum + size - 1, 0)
      expect(await bench.operator.writes()).toBeLessThanOrEqual(writesBefore + renewals + places.length)
      const asked = () => bench.nodes.of(organizationId)!.requests.length
      const before = asked()
      // The operator comes back to a settled node when something is due, at the latest its next certificate.
      await eventually('the node was asked again', 2 * lifetimeMs, () => Promise.resolve(asked() > before))
      expect((await bench.operator.log()).split('state document not in force')).toHaveLength(pushes)
    })
  },
)
