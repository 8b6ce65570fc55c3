import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { pathOf, resourceOf, resources } from '../../operator/kube/resource.ts'
import { OperatorBench, condition } from '../integration/operator-bench.ts'
import { eventually } from '../integration/operator-harness.ts'
import { exampleObjects, namespacesOf, tenantObjects } from '../support/example.ts'
import { FluxController } from './flux.ts'
import { Repository } from './repository.ts'

// Flux itself brings the example out of a git repository: it is ready when all tenants are and not before, says so of what
// cannot become ready, undoes drift, prunes, and never fights the operator.

const fluxNamespace = `flux-${process.pid}`
const prefix = `flux-${process.pid}`
const file = 'tenants/tenants.yaml'

describe('Flux', () => {
  let bench: OperatorBench
  let folder: string
  let flux: FluxController
  let repository: Repository
  let objects: readonly KubeObject[]

  beforeAll(async () => {
    const kubeconfig = process.env['KUBECONFIG']!
    bench = await OperatorBench.open(kubeconfig)
    folder = await mkdtemp(join(tmpdir(), 'holdfast-flux-'))
    repository = await Repository.create(join(folder, 'repository'))
    objects = await exampleObjects(prefix)
    bench.namespaces.push(...namespacesOf(objects))
    await bench.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: fluxNamespace } })
    flux = await FluxController.start(bench.server, kubeconfig, fluxNamespace, folder)
  }, 3_600_000)

  afterAll(async () => {
    await flux.stop()
    await bench.close()
    await bench.server.send('DELETE', pathOf(resources.namespaces, { name: fluxNamespace }))
    await rm(folder, { recursive: true })
  })

  const publish = async (wanted: readonly KubeObject[]): Promise<string> => {
    await repository.commit(file, wanted)
    return flux.publish(repository)
  }
  const fluxIsReadyWith = (revision: string) =>
    eventually(`Flux is ready with ${revision}`, 90_000, async () => {
      const ready = await flux.ready()
      if (ready?.status === 'True' && ready.applied === revision) return ready
      throw new Error(`${JSON.stringify(ready)}\n${(await flux.log()).slice(-2_000)}`)
    })
  const live = (wanted: readonly KubeObject[]) =>
    Promise.all(
      tenantObjects(wanted).map(({ apiVersion, kind, metadata }) =>
        bench.get(resourceOf({ apiVersion, kind }), metadata.namespace, metadata.name),
      ),
    )
  /** The example with another spec for one of its organizations. */
  const withOrganization = (name: string, spec: object): readonly KubeObject[] =>
    objects.map((object) =>
      object.kind === 'Organization' && object.metadata.name === name
        ? { ...object, spec: { ...(object['spec'] as object), ...spec } }
        : object,
    )

  test('is ready when every tenant is, and not before', async () => {
    bench.nodes.holdBack = true
    await flux.reconcile({ interval: '5s', retryInterval: '3s', timeout: '1m' })
    const revision = await publish(objects)
    await eventually('Flux has applied the example', 60_000, async () =>
      (await live(objects)).every((found) => found !== null),
    )
    for (let look = 0; look < 20; look += 1) {
      expect((await flux.ready())?.status).not.toBe('True')
      await systemClock.sleep(500)
    }
    bench.nodes.holdBack = false
    await fluxIsReadyWith(revision)
    for (const found of await live(objects)) expect(condition(found, 'Ready')?.status).toBe('True')
  })

  test('at rest, Flux and the operator write nothing over and over', async () => {
    await bench.writesAtRest()
    const writes = await bench.operator.writes()
    const before = await live(objects)
    // Several of Flux's intervals.
    await systemClock.sleep(20_000)
    expect(await bench.operator.writes()).toBe(writes)
    expect(await live(objects)).toEqual(before)
  })

  test('undoes what somebody changes by hand', async () => {
    const { namespace, name } = objects.find(({ kind }) => kind === 'Organization')!.metadata
    await bench.server.send('PATCH', pathOf(resources.organizations, { namespace, name }), {
      body: { spec: { displayName: 'Somebody else' } },
      type: 'application/merge-patch+json',
    })
    await eventually('the display name is back', 60_000, async () => {
      const found = await bench.get(resources.organizations, namespace, name)
      return (found?.['spec'] as { displayName?: string } | undefined)?.displayName === 'Marketing'
    })
    await bench.becomesReady(resources.organizations, namespace!, name)
  })

  test('says so of a tenant that cannot become ready, and goes on when it is mended', async () => {
    await publish(withOrganization('marketing', { class: 'golden' }))
    const failed = await eventually('Flux says that it failed', 90_000, async () => {
      const ready = await flux.ready()
      return ready?.reason === 'HealthCheckFailed' && ready
    })
    expect(failed.message).toContain('Organization')
    expect(failed.message).toContain('marketing')
    expect(failed.message).not.toContain('Organization/' + prefix + '-engineering')
    await fluxIsReadyWith(await publish(objects))
  })

  test('prunes what left the repository, and its data stays', async () => {
    const left = objects.filter(
      ({ kind, metadata }) => kind === 'Namespace' || metadata.namespace === `${prefix}-marketing`,
    )
    const gone = tenantObjects(objects).filter((object) => !left.includes(object))
    expect(gone.length).toBeGreaterThan(2)
    const engineering = gone.find(({ kind }) => kind === 'Organization')!
    const { status } = (await bench.get(
      resources.organizations,
      engineering.metadata.namespace,
      engineering.metadata.name,
    )) as KubeObject & { readonly status: { readonly runtimeNamespace: string } }
    bench.namespaces.push(status.runtimeNamespace)
    const revision = await publish(left)
    for (const { apiVersion, kind, metadata } of gone)
      await bench.isGone(resourceOf({ apiVersion, kind }), metadata.namespace, metadata.name)
    await fluxIsReadyWith(revision)
    for (const found of await live(left)) expect(condition(found, 'Ready')?.status).toBe('True')
    const volume = await bench.get(
      resources.persistentVolumeClaims,
      status.runtimeNamespace,
      'data-storage-node-0',
    )
    expect(volume).not.toBeNull()
  })
})
