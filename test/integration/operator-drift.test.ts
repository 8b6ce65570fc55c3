import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { canonicalJson } from '../../common/state-document.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { pathOf, resources } from '../../operator/kube/resource.ts'
import { driftCases, pathOfCase, type DriftCase } from './drift-cases.ts'
import { OperatorBench, condition } from './operator-bench.ts'
import { eventually, soonMs } from './operator-harness.ts'

// Promise: whatever somebody edits, unlabels or deletes by hand, of everything that the operator makes, is put right
// within five seconds, Secrets, which are not watched, within twenty; and what is not provably the operator's is left
// alone and told of.

const kubeconfig = process.env['KUBECONFIG']
const withinMs = 5_000
const secretWithinMs = 20_000

describe.skipIf(kubeconfig === undefined)('what is changed by hand (KUBECONFIG names the cluster)', () => {
  let bench: OperatorBench
  let tenant: Awaited<ReturnType<OperatorBench['newTenant']>>

  beforeAll(async () => {
    bench = await OperatorBench.open(kubeconfig!)
    tenant = await bench.newTenant()
  })

  afterAll(() => bench.close())

  const namespaceOf = ({ where }: DriftCase): string =>
    where === 'own' ? bench.operator.namespace : where === 'tenant' ? tenant.namespace : tenant.runtime

  const patch = (path: string, body: object) =>
    bench.server.send('PATCH', path, { body, type: 'application/merge-patch+json' })

  async function readAt(path: string): Promise<KubeObject | null> {
    const { status, body } = await bench.server.send('GET', path)
    return status === 200 ? (body as unknown as KubeObject) : null
  }

  async function expectMended(row: DriftCase): Promise<void> {
    const path = pathOfCase(row, namespaceOf(row))
    const before = await readAt(path)
    expect(before).not.toBeNull()
    const done =
      row.act === 'delete' ? await bench.server.send('DELETE', path) : await patch(path, row.act.patch)
    expect(done.status, JSON.stringify(done.body)).toBeLessThan(300)
    if (row.act !== 'delete') expect(meaning(done.body as unknown as KubeObject)).not.toBe(meaning(before!))
    const limitMs = row.resource === resources.secrets ? secretWithinMs : withinMs
    await eventually(`${row.what}: it is as it should be`, limitMs, async () => {
      const found = await readAt(path)
      if (!found || found.metadata.deletionTimestamp !== undefined) return false
      if (row.outcome === 'repaired') return meaning(found) === meaning(before!)
      return isWhole(found) && secretOf(found) !== secretOf(before!)
    })
  }

  test.each(
    driftCases
      .filter((row) => !isTenantSecret(row))
      .map((row) => [`${row.where} ${row.resource.kind} ${row.name}`, row.what, row] as const),
  )('%s, %s', (_name, _what, row) => expectMended(row))

  // Each edit waits for the next look at Secrets, so what is done to several is done at once.
  test.concurrent.each(Object.entries(Object.groupBy(driftCases.filter(isTenantSecret), ({ name }) => name)))(
    'Secret %s, each edit after the other',
    async (_name, rows) => {
      for (const row of rows!) await expectMended(row)
    },
    600_000,
  )

  test('its own Organization is Ready again after all that, and nothing is written any more', async () => {
    await bench.becomesReady(resources.organizations, tenant.namespace, 'acme')
    const writes = await bench.writesAtRest()
    await systemClock.sleep(secretWithinMs)
    expect(await bench.operator.writes()).toBe(writes)
  })

  test('finalizers that somebody took away are there again', async () => {
    for (const [resource, name] of [
      [resources.organizations, 'acme'],
      [resources.databases, 'metrics'],
      [resources.tokens, 'writer'],
    ] as const) {
      await patch(pathOf(resource, { namespace: tenant.namespace, name }), { metadata: { finalizers: null } })
      await eventually(`${resource.kind} is held`, withinMs, async () => {
        const { metadata } = (await bench.get(resource, tenant.namespace, name))!
        return metadata.finalizers?.includes('holdfast.dev/finalizer')
      })
    }
  })

  test.each([
    ['deleted', 'delete'],
    ['filled with garbage', { data: { 'data-key': Buffer.from('garbage').toString('base64') } }],
  ] as const)('a data key is never made anew: %s, it is told of until it is put back', async (_what, act) => {
    const { namespace, runtime } = tenant
    const path = pathOf(resources.secrets, { namespace: runtime, name: 'data-key' })
    const before = (await readAt(path))!
    if (act === 'delete') await bench.server.send('DELETE', path)
    else await patch(path, act)
    const stalled = await bench.hasReason(
      resources.organizations,
      namespace,
      'acme',
      'DataKeyMissing',
      secretWithinMs,
    )
    expect(condition(stalled, 'Stalled')?.status).toBe('True')
    await systemClock.sleep(withinMs)
    const found = await readAt(path)
    if (act === 'delete') expect(found).toBeNull()
    else expect(found?.['data']).toEqual(act.data)
    // Meanwhile what closes and bounds is looked after.
    await bench.remove(resources.networkPolicies, runtime, 'default-deny')
    await eventually('the policy is back', withinMs, () =>
      bench.get(resources.networkPolicies, runtime, 'default-deny'),
    )
    const { name, labels, annotations } = before.metadata
    if (act === 'delete')
      await bench.apply({
        ...before,
        metadata: { name, namespace: runtime, labels: labels!, annotations: annotations! },
      })
    else await patch(path, { data: before['data'] })
    await bench.becomesReady(resources.organizations, namespace, 'acme')
  })

  test('a namespace whose mark somebody took away counts as foreign: nothing in it is touched until it is back', async () => {
    const { namespace, runtime } = tenant
    const path = pathOf(resources.namespaces, { name: runtime })
    const before = (await readAt(path))!
    const mark = 'holdfast.dev/owner-mac'
    await patch(path, { metadata: { annotations: { [mark]: null } } })
    await bench.hasReason(resources.organizations, namespace, 'acme', 'NamespaceNotOurs')
    await bench.remove(resources.resourceQuotas, runtime, 'tenant')
    await systemClock.sleep(withinMs)
    expect(await bench.get(resources.resourceQuotas, runtime, 'tenant')).toBeNull()
    expect((await readAt(path))!.metadata.annotations).not.toHaveProperty(mark)
    await patch(path, { metadata: { annotations: { [mark]: before.metadata.annotations![mark] } } })
    await bench.becomesReady(resources.organizations, namespace, 'acme')
    expect(await bench.get(resources.resourceQuotas, runtime, 'tenant')).not.toBeNull()
  })

  test('a Token’s Secret that is not the Token’s any more is left alone', async () => {
    const { namespace } = tenant
    const path = pathOf(resources.secrets, { namespace, name: 'writer' })
    const disowned = await patch(path, { metadata: { ownerReferences: null } })
    await bench.hasReason(resources.tokens, namespace, 'writer', 'SecretNotOurs', secretWithinMs)
    expect((await readAt(path))?.metadata.resourceVersion).toBe(
      (disowned.body as unknown as KubeObject).metadata.resourceVersion,
    )
    await bench.server.send('DELETE', path)
    await eventually('it is made anew', soonMs, () => readAt(path))
    await bench.becomesReady(resources.tokens, namespace, 'writer')
  })
})

const isTenantSecret = ({ resource, where }: DriftCase): boolean =>
  resource === resources.secrets && where !== 'own'

/** All that somebody has said of an object, without what the API server and controllers say of it. */
function meaning(object: KubeObject): string {
  const { status: _status, metadata, ...rest } = object
  const { name, labels, annotations, ownerReferences, finalizers } = metadata
  const kept = { name, labels, annotations, ownerReferences, finalizers }
  // The addresses of a Service that is made anew are others.
  const text = canonicalJson({ ...rest, metadata: kept })
  return text.replaceAll(/"clusterIPs?":(\[[^\]]*\]|"[^"]*"),?/g, '')
}

const secretOf = (secret: KubeObject): string => {
  const data = (secret['data'] ?? {}) as Readonly<Record<string, string>>
  return data['tls.key'] ?? data['token'] ?? ''
}

const isWhole = (secret: KubeObject): boolean => secretOf(secret).length > 30
