import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { KubeObject } from '../../operator/kube/object.ts'
import { pathOf, resources } from '../../operator/kube/resource.ts'
import { ApiServer, type Answer } from './api-server.ts'
import { applyChartRights } from './chart-rights.ts'
import { eventually, read, soonMs } from './operator-harness.ts'

// With deletionProtection.enabled nothing that holds data is deleted without a second word, by no way that there is, on a
// real API server. What holds none, and what was confirmed, goes as ever.

const kubeconfig = process.env['KUBECONFIG']
const release = `protect-${process.pid}`
const confirmation = 'holdfast.dev/confirm-deletion'
const mark = { 'holdfast.dev/owner-uid': 'a', 'holdfast.dev/owner-mac': 'a'.repeat(64) }
const definitionPath = (plural: string) =>
  `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${plural}.holdfast.dev`

describe.skipIf(kubeconfig === undefined)('deletion protection (KUBECONFIG names the cluster)', () => {
  let server: ApiServer
  let counter = 0
  const namespaces: string[] = []
  const cleanUp: (() => Promise<unknown>)[] = []

  beforeAll(async () => {
    server = await ApiServer.open(kubeconfig!)
    for (const plural of ['organizations', 'databases', 'tokens']) {
      const file = join(import.meta.dirname, `../../crds/holdfast.dev_${plural}.yaml`)
      cleanUp.push(await server.install(await readFile(file, 'utf8')))
    }
    const paths = await applyChartRights(server, {
      namespace: release,
      settings: ['deletionProtection.enabled=true'],
      isWanted: ({ metadata }) => metadata.name.startsWith('holdfast-deletion'),
    })
    for (const path of paths) cleanUp.push(() => server.send('DELETE', path))
    const probe = await newNamespace()
    await organization(probe, { deletionPolicy: 'Delete' })
    const going = await newGoing({ deletionPolicy: 'Retain' })
    await eventually('all policies are in force', 30_000, async () => {
      const answers = [await remove(probe, true), await removeOrganization(probe, true)]
      answers.push(await change(going, { spec: { deletionPolicy: 'Delete' } }, true))
      return answers.every(({ status }) => status === 403)
    })
  })

  afterAll(async () => {
    for (const undo of cleanUp.toReversed()) await undo()
    for (const name of namespaces) await remove(name)
    await server.close()
  })

  async function newNamespace(metadata: object = {}, name?: string): Promise<string> {
    const made = name ?? `${release}-${++counter}`
    const answer = await server.create({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: made, ...metadata },
    })
    if (answer.status !== 201) throw new Error(answer.body.message)
    namespaces.push(made)
    return made
  }

  async function organization(namespace: string, spec: object, annotations = {}): Promise<void> {
    const object: KubeObject = {
      apiVersion: 'holdfast.dev/v1alpha1',
      kind: 'Organization',
      metadata: { name: 'acme', namespace, annotations },
      spec,
    }
    const answer = await server.create(object)
    if (answer.status !== 201) throw new Error(answer.body.message)
  }

  /** A namespace with an Organization that is being deleted. */
  async function newGoing(spec: object): Promise<string> {
    const namespace = await newNamespace()
    await organization(namespace, spec)
    await change(namespace, { metadata: { finalizers: ['example.com/held'] } })
    await removeOrganization(namespace)
    cleanUp.unshift(() => change(namespace, { metadata: { finalizers: null } }))
    return namespace
  }

  const dry = (path: string, isRehearsal: boolean) => (isRehearsal ? `${path}?dryRun=All` : path)
  const remove = (name: string, isRehearsal = false): Promise<Answer> =>
    server.send('DELETE', dry(pathOf(resources.namespaces, { name }), isRehearsal))
  const removeOrganization = (namespace: string, isRehearsal = false): Promise<Answer> =>
    server.send('DELETE', dry(pathOf(resources.organizations, { namespace, name: 'acme' }), isRehearsal))
  const change = (namespace: string, body: object, isRehearsal = false): Promise<Answer> =>
    server.send('PATCH', dry(pathOf(resources.organizations, { namespace, name: 'acme' }), isRehearsal), {
      body,
      type: 'application/merge-patch+json',
    })
  const isThere = async (namespace: string) =>
    (await read(server, resources.organizations, namespace, 'acme')) !== null

  describe('an Organization', () => {
    test('that leaves nothing stays, and the refusal says how to confirm', async () => {
      const namespace = await newNamespace()
      await organization(namespace, { deletionPolicy: 'Delete' })
      const { status, body } = await removeOrganization(namespace)
      expect(status).toBe(403)
      expect(body.message).toContain(`this deletes data for ever`)
      expect(body.message).toContain(`${confirmation}: acme`)
      const all = await server.send('DELETE', pathOf(resources.organizations, { namespace }))
      expect(all.status, 'all of them at once').toBe(403)
      expect(await isThere(namespace)).toBe(true)
    })

    test('that was confirmed under another name stays', async () => {
      const namespace = await newNamespace()
      await organization(namespace, { deletionPolicy: 'Delete' }, { [confirmation]: 'true' })
      expect((await removeOrganization(namespace)).status).toBe(403)
    })

    test('that is going with its data retained does not come to lose it', async () => {
      const namespace = await newGoing({ deletionPolicy: 'Retain' })
      const { status, body } = await change(namespace, { spec: { deletionPolicy: 'Delete' } })
      expect(status).toBe(403)
      expect(body.message).toContain('deleted with its data retained')
      expect((await change(namespace, { metadata: { labels: { a: 'b' } } })).status).toBe(200)
    })

    test('that leaves nothing can be made to retain its data while it is going', async () => {
      const namespace = await newNamespace()
      await organization(namespace, { deletionPolicy: 'Delete' }, { [confirmation]: 'acme' })
      const stays = { metadata: { finalizers: ['example.com/held'] } }
      expect((await change(namespace, stays)).status).toBe(200)
      expect((await removeOrganization(namespace)).status).toBe(200)
      expect((await change(namespace, { spec: { deletionPolicy: 'Retain' } })).status).toBe(200)
      expect((await change(namespace, { metadata: { finalizers: null } })).status).toBe(200)
      expect(await isThere(namespace)).toBe(false)
    })

    test.each([
      ['that was confirmed', { deletionPolicy: 'Delete' }, { [confirmation]: 'acme' }],
      ['whose data is retained', { deletionPolicy: 'Retain' }, {}],
      ['that says nothing of it', {}, {}],
    ])('%s goes', async (_what, spec, annotations) => {
      const namespace = await newNamespace()
      await organization(namespace, spec, annotations)
      expect((await removeOrganization(namespace)).status).toBe(200)
      expect(await isThere(namespace)).toBe(false)
    })
  })

  describe('a tenant’s namespace', () => {
    test('with an Organization that leaves nothing stays, and the refusal names it', async () => {
      const namespace = await newNamespace()
      await organization(namespace, { deletionPolicy: 'Delete' })
      // The API server keeps what it looks up in a cache of its own.
      await eventually('the Organization is seen', soonMs, async () => {
        return (await remove(namespace, true)).status === 403
      })
      const { status, body } = await remove(namespace)
      expect(status).toBe(403)
      expect(body.message).toContain('the data of Organization acme')
      expect((await read(server, resources.namespaces, undefined, namespace))?.metadata).not.toHaveProperty(
        'deletionTimestamp',
      )
    })

    test.concurrent.each([
      ['where that was confirmed', { deletionPolicy: 'Delete' }, { [confirmation]: 'acme' }],
      ['whose data is retained', {}, {}],
      ['without one', null, {}],
    ])('%s goes, with all that is in it', async (_what, spec, annotations) => {
      const namespace = await newNamespace()
      if (spec) await organization(namespace, spec, annotations)
      expect((await remove(namespace)).status).toBe(200)
      await eventually(`${namespace} is gone`, 60_000, async () => {
        return (await read(server, resources.namespaces, undefined, namespace)) === null
      })
    })
  })

  describe('a namespace that the operator made', () => {
    const name = `holdfast-${String(process.pid).padStart(16, '0')}`

    test('stays, but for the operator, and goes when that is confirmed', async () => {
      await newNamespace({ annotations: mark }, name)
      expect((await remove(name)).status).toBe(403)
      const asOperator = await server.send('DELETE', `${pathOf(resources.namespaces, { name })}?dryRun=All`, {
        headers: {
          'impersonate-user': `system:serviceaccount:${release}:holdfast-operator`,
          'impersonate-group': 'system:masters',
        },
      })
      expect(asOperator.body.message).toBeUndefined()
      await server.send('PATCH', pathOf(resources.namespaces, { name }), {
        body: { metadata: { annotations: { [confirmation]: name } } },
        type: 'application/merge-patch+json',
      })
      expect((await remove(name)).status).toBe(200)
    })

    test('is not one that is only called so', async () => {
      const unmarked = await newNamespace({}, name.replace('holdfast-0', 'holdfast-1'))
      expect((await remove(unmarked)).status).toBe(200)
    })
  })

  test('the kinds themselves stay, with all their objects, unless that is confirmed', async () => {
    const path = definitionPath('organizations')
    const annotate = (value: string | null) =>
      server.send('PATCH', path, {
        body: { metadata: { annotations: { [confirmation]: value } } },
        type: 'application/merge-patch+json',
      })
    expect((await server.send('DELETE', `${path}?dryRun=All`)).status).toBe(403)
    await annotate('organizations.holdfast.dev')
    expect((await server.send('DELETE', `${path}?dryRun=All`)).status).toBe(200)
    await annotate(null)
  })
})
