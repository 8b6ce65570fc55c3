import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { pathOf, resourceOf, resources } from '../../operator/kube/resource.ts'
import { OperatorBench, condition, statusOf, token } from '../integration/operator-bench.ts'
import { eventually } from '../integration/operator-harness.ts'
import { exampleObjects, namespacesOf, tenantObjects } from '../support/example.ts'
import { FluxController } from './flux.ts'
import { liveTenants, tenantsReady } from './live-tenants.ts'
import { fieldsOf, sharedFields } from './managed-fields.ts'
import { Repository } from './repository.ts'

// Flux itself brings the example out of a git repository: it is ready when all tenants are and not before, also while no operator
// runs, says so of what cannot become ready, undoes drift, prunes, and never fights the operator.

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
    bench.namespaces.push(fluxNamespace, ...namespacesOf(objects))
    await bench.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: fluxNamespace } })
    flux = await FluxController.start(bench.server, kubeconfig, fluxNamespace, folder)
  }, 3_600_000)

  afterAll(async () => {
    await flux.stop()
    await bench.close()
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
  const live = (wanted: readonly KubeObject[]) => liveTenants(bench, wanted)
  /** What is there says all that the repository says. */
  const fluxHasApplied = (wanted: readonly KubeObject[]) =>
    eventually('Flux has applied the repository', 90_000, async () => {
      const specs = (found: readonly (KubeObject | null)[]) =>
        found.map((object) => ({ spec: object?.['spec'] }))
      expect(specs(await live(wanted))).toMatchObject(specs(tenantObjects(wanted)))
      return true
    })
  /** For ten seconds. */
  const fluxIsNeverReady = async () => {
    for (let look = 0; look < 20; look += 1) {
      expect((await flux.ready())?.status).not.toBe('True')
      await systemClock.sleep(500)
    }
  }
  const organizationOf = (namespace: string) =>
    objects.find(
      ({ kind, metadata }) => kind === 'Organization' && metadata.namespace === `${prefix}-${namespace}`,
    )!
  const runtimeNamespaceOf = async (namespace: string) => {
    const [found = null] = await live([organizationOf(namespace)])
    return statusOf(found).runtimeNamespace!
  }
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
    await fluxHasApplied(objects)
    await fluxIsNeverReady()
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
    for (const object of before) {
      expect(fieldsOf(object!, (manager) => manager === 'kustomize-controller')).toContainEqual(
        expect.stringMatching(/^f:spec/),
      )
      expect(sharedFields(object!)).toEqual([])
    }
  })

  test('takes nothing new and no edit for healthy before an operator has looked', async () => {
    const { namespace, name } = organizationOf('marketing').metadata
    const added = token(namespace!, { organization: name }, 'added')
    const waitsForAnOperator = async (wanted: readonly KubeObject[]) => {
      expect(await bench.operator.stop()).toBe(0)
      const revision = await publish(wanted)
      await fluxHasApplied(wanted)
      await fluxIsNeverReady()
      await bench.operator.start()
      await fluxIsReadyWith(revision)
    }
    await waitsForAnOperator([...objects, added])
    await waitsForAnOperator([...withOrganization(name, { description: 'Edited' }), added])
    await fluxIsReadyWith(await publish(objects))
    await bench.isGone(resources.tokens, namespace, added.metadata.name)
  })

  test('undoes what somebody changes or deletes by hand', async () => {
    const { namespace, name } = organizationOf('marketing').metadata
    const changed = await bench.server.send('PATCH', pathOf(resources.organizations, { namespace, name }), {
      body: { spec: { displayName: 'Somebody else' } },
      type: 'application/merge-patch+json',
    })
    expect(changed.status).toBe(200)
    const deleted = objects.find(
      ({ kind, metadata }) => kind === 'Token' && metadata.namespace === namespace,
    )!
    const [before] = await live([deleted])
    await bench.remove(resources.tokens, namespace!, deleted.metadata.name)
    await eventually('the token is there again', 60_000, async () => {
      const [found] = await live([deleted])
      return found && found.metadata.uid !== before?.metadata.uid
    })
    await fluxHasApplied(objects)
    await tenantsReady(bench, objects)
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
    const runtimeNamespace = await runtimeNamespaceOf('engineering')
    bench.namespaces.push(runtimeNamespace)
    const revision = await publish(left)
    for (const { apiVersion, kind, metadata } of gone)
      await bench.isGone(resourceOf({ apiVersion, kind }), metadata.namespace, metadata.name)
    await fluxIsReadyWith(revision)
    for (const found of await live(left)) expect(condition(found, 'Ready')?.status).toBe('True')
    await bench.writesAtRest()
    const volume = await bench.get(resources.persistentVolumeClaims, runtimeNamespace, 'data-storage-node-0')
    expect(volume?.metadata).toMatchObject({ name: 'data-storage-node-0' })
    expect(volume?.metadata.deletionTimestamp).toBeUndefined()
  })

  test('takes all that it brought with it when its Kustomization is deleted', async () => {
    bench.namespaces.push(await runtimeNamespaceOf('marketing'))
    await flux.remove()
    for (const { apiVersion, kind, metadata } of tenantObjects(objects))
      await bench.isGone(resourceOf({ apiVersion, kind }), metadata.namespace, metadata.name)
    expect((await live(objects)).every((found) => found === null)).toBe(true)
  })
})
