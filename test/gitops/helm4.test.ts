import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { systemClock } from '../../common/clock.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { resources } from '../../operator/kube/resource.ts'
import { ensureHelm4 } from '../../scripts/gitops-engines.ts'
import { run } from '../../scripts/run.ts'
import { OperatorBench, condition, database, organization, token } from '../integration/operator-bench.ts'

// Helm 4 waits for tenants by kstatus, fails for those that cannot become ready, and, applying on the server, meets no conflict
// with the operator, again and again.

describe('Helm 4', () => {
  let bench: OperatorBench
  let folder: string
  let helm: string

  beforeAll(async () => {
    helm = await ensureHelm4()
    bench = await OperatorBench.open(process.env['KUBECONFIG']!)
    folder = await mkdtemp(join(tmpdir(), 'holdfast-helm4-'))
  }, 3_600_000)

  afterAll(async () => {
    await bench.close()
    await rm(folder, { recursive: true })
  })

  /** Installs or upgrades a chart of these objects, and waits. */
  async function release(namespace: string, objects: readonly KubeObject[], timeout: string): Promise<void> {
    const chart = join(folder, 'chart')
    await mkdir(join(chart, 'templates'), { recursive: true })
    await writeFile(
      join(chart, 'Chart.yaml'),
      stringify({ apiVersion: 'v2', name: 'tenants', version: '1.0.0' }),
    )
    const text = objects.map((object) => stringify(object)).join('---\n')
    await writeFile(join(chart, 'templates/tenants.yaml'), text)
    const place = ['--namespace', namespace, '--kubeconfig', process.env['KUBECONFIG']!]
    await run(helm, ['upgrade', '--install', 'tenants', chart, ...place, '--wait', '--timeout', timeout])
  }

  const tenant = (namespace: string, spec: object = {}): readonly KubeObject[] => [
    organization(namespace, spec),
    database(namespace),
    token(namespace),
  ]
  const live = (namespace: string) =>
    Promise.all([
      bench.get(resources.organizations, namespace, 'acme'),
      bench.get(resources.databases, namespace, 'metrics'),
      bench.get(resources.tokens, namespace, 'writer'),
    ])

  test('--wait ends when all is ready, and not before', async () => {
    const namespace = await bench.newNamespace()
    bench.nodes.holdBack = true
    let isDone = false
    const done = release(namespace, tenant(namespace), '2m').then(() => (isDone = true))
    await systemClock.sleep(10_000)
    expect(isDone).toBe(false)
    bench.nodes.holdBack = false
    await done
    for (const found of await live(namespace)) expect(condition(found, 'Ready')?.status).toBe('True')

    await bench.writesAtRest()
    await release(namespace, tenant(namespace), '2m')
    const before = await live(namespace)
    const writes = await bench.writesAtRest()
    for (let round = 0; round < 3; round += 1) await release(namespace, tenant(namespace), '2m')
    expect(await live(namespace)).toEqual(before)
    expect(await bench.writesAtRest()).toBe(writes)
  })

  test('--wait fails for what cannot become ready, naming it', async () => {
    const namespace = await bench.newNamespace()
    await expect(release(namespace, tenant(namespace, { class: 'golden' }), '20s')).rejects.toThrow(/acme/)
  })
})
