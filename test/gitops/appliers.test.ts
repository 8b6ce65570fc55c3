import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { ensureTools, findTools } from '../../local-kubernetes/tools.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { pathOf, resourceOf, resources } from '../../operator/kube/resource.ts'
import { run } from '../../scripts/run.ts'
import { exampleObjects, namespacesOf, tenantObjects } from '../support/example.ts'
import { OperatorBench } from '../integration/operator-bench.ts'
import { fieldsOf, sharedFields } from './managed-fields.ts'

// Whoever applies the example again and again, by server-side apply, by kubectl's client-side apply or by Helm, changes nothing
// that the operator has written, meets no conflict, and makes the operator write nothing: each has fields of its own.

const rounds = 3

describe('who applies', () => {
  let bench: OperatorBench
  let folder: string
  let tools: ReturnType<typeof findTools>

  beforeAll(async () => {
    await ensureTools((line) => console.log(line))
    tools = findTools()
    folder = await mkdtemp(join(tmpdir(), 'holdfast-appliers-'))
    bench = await OperatorBench.open(process.env['KUBECONFIG']!)
  })

  afterAll(async () => {
    await bench.close()
    await rm(folder, { recursive: true })
  })

  /** The example's tenants in namespaces of this run, without the namespaces themselves. */
  async function example(prefix: string): Promise<readonly KubeObject[]> {
    const objects = await exampleObjects(`${prefix}-${process.pid}`)
    for (const name of namespacesOf(objects)) {
      bench.namespaces.push(name)
      await bench.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
    }
    return tenantObjects(objects)
  }

  const appliers: Readonly<Record<string, (objects: readonly KubeObject[]) => Promise<void>>> = {
    /** As Flux does it, and `kubectl apply --server-side`: not forced, so that a conflict is one. */
    'server-side apply': async (objects) => {
      for (const object of objects) {
        const path = pathOf(resourceOf(object), object.metadata)
        const answer = await bench.server.send('PATCH', `${path}?fieldManager=gitops&force=false`, {
          body: object,
          type: 'application/apply-patch+yaml',
        })
        expect(answer.body.message).toBeUndefined()
      }
    },
    'client-side apply': async (objects) => {
      const input = objects.map((object) => stringify(object)).join('---\n')
      await run(tools.kubectl, ['apply', '-f', '-', '--kubeconfig', process.env['KUBECONFIG']!], { input })
    },
    Helm: async (objects) => {
      const chart = join(folder, 'chart')
      await mkdir(join(chart, 'templates'), { recursive: true })
      await writeFile(
        join(chart, 'Chart.yaml'),
        stringify({ apiVersion: 'v2', name: 'tenants', version: '1.0.0' }),
      )
      const text = objects.map((object) => stringify(object)).join('---\n')
      await writeFile(join(chart, 'templates/tenants.yaml'), text)
      const place = [
        '--namespace',
        objects[0]!.metadata.namespace!,
        '--kubeconfig',
        process.env['KUBECONFIG']!,
      ]
      await run(tools.helm, ['upgrade', '--install', 'tenants', chart, ...place])
    },
  }

  const live = (objects: readonly KubeObject[]) =>
    Promise.all(
      objects.map(async (object) => {
        const { namespace, name } = object.metadata
        return (await bench.get(resourceOf(object), namespace, name))!
      }),
    )

  test.each(Object.keys(appliers))('%s, again and again, changes nothing', async (applier) => {
    const apply = appliers[applier]!
    const objects = await example(applier.toLowerCase().replaceAll(' ', '-'))
    await apply(objects)
    for (const { apiVersion, kind, metadata } of objects)
      await bench.becomesReady(resourceOf({ apiVersion, kind }), metadata.namespace!, metadata.name, 60_000)
    const writes = await bench.writesAtRest()
    await apply(objects)
    // Client-side apply and Helm note what they applied the second time at the latest.
    const before = await live(objects)
    for (let round = 0; round < rounds; round += 1) await apply(objects)
    expect(await live(objects)).toEqual(before)
    expect(await bench.writesAtRest()).toBe(writes)
    for (const object of before)
      expect(sharedFields(object), `${object.kind} ${object.metadata.name}`).toEqual([])
  })

  test('what the operator writes on an object of a user is its finalizer and its status', async () => {
    const { namespace } = await bench.newTenant()
    const found = await bench.get(resources.organizations, namespace, 'acme')
    const fields = fieldsOf(found!, (manager) => manager !== 'test')
    expect(fields.length).toBeGreaterThan(0)
    expect(
      fields.filter((path) => !path.startsWith('f:status') && !path.startsWith('f:metadata.f:finalizers')),
    ).toEqual([])
  })
})
