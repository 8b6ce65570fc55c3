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
import { eventually } from '../integration/operator-harness.ts'
import { liveTenants } from './live-tenants.ts'
import { sharedFields } from './managed-fields.ts'

// Helm 4 waits for tenants by kstatus, also while no operator runs, fails for those that cannot become ready, and, applying on
// the server or by itself, has no field with the operator in common, again and again.

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
  async function release(objects: readonly KubeObject[], ...more: readonly string[]): Promise<void> {
    const chart = join(folder, 'chart')
    await mkdir(join(chart, 'templates'), { recursive: true })
    await writeFile(
      join(chart, 'Chart.yaml'),
      stringify({ apiVersion: 'v2', name: 'tenants', version: '1.0.0' }),
    )
    const text = objects.map((object) => stringify(object)).join('---\n')
    await writeFile(join(chart, 'templates/tenants.yaml'), text)
    const namespace = objects[0]!.metadata.namespace!
    const place = ['--namespace', namespace, '--kubeconfig', process.env['KUBECONFIG']!]
    await run(helm, ['upgrade', '--install', 'tenants', chart, ...place, '--wait', ...more])
  }

  /** Helm has said what is to be, and waits for five seconds at least, until `goOn` has been called. */
  async function waits(objects: readonly KubeObject[], more: readonly string[], goOn: () => Promise<void>) {
    let isDone = false
    const done = release(objects, '--timeout', '2m', ...more).then(() => (isDone = true))
    const specs = (found: readonly (KubeObject | null)[]) =>
      found.map((object) => ({ spec: object?.['spec'] }))
    await eventually('Helm has applied', 30_000, async () => {
      expect(specs(await liveTenants(bench, objects))).toMatchObject(specs(objects))
      return true
    })
    await systemClock.sleep(5_000)
    expect(isDone).toBe(false)
    await goOn()
    await done
    for (const found of await liveTenants(bench, objects))
      expect(condition(found, 'Ready')?.status).toBe('True')
  }

  const tenant = (namespace: string, spec: object = {}): readonly KubeObject[] => [
    organization(namespace, spec),
    database(namespace),
    token(namespace),
  ]

  const ways = [
    ['on the server', '--server-side=true'],
    ['by itself', '--server-side=false'],
  ] as const

  test.each(ways)('applying %s, waits until all is ready, and changes nothing again', async (_way, flag) => {
    const objects = tenant(await bench.newNamespace())
    bench.nodes.holdBack = true
    await waits(objects, [flag], async () => {
      bench.nodes.holdBack = false
    })

    await bench.writesAtRest()
    await release(objects, flag)
    const before = await liveTenants(bench, objects)
    const writes = await bench.writesAtRest()
    for (let round = 0; round < 3; round += 1) await release(objects, flag)
    expect(await liveTenants(bench, objects)).toEqual(before)
    expect(await bench.writesAtRest()).toBe(writes)
    for (const object of before) expect(sharedFields(object!)).toEqual([])
  })

  test('takes nothing new and no edit for ready before an operator has looked, and deletes what left the chart', async () => {
    const namespace = await bench.newNamespace()
    const added = token(namespace, {}, 'added')
    await release(tenant(namespace))
    for (const wanted of [
      [...tenant(namespace), added],
      [...tenant(namespace, { description: 'Edited' }), added],
    ]) {
      expect(await bench.operator.stop()).toBe(0)
      await waits(wanted, [], () => bench.operator.start())
    }
    await release(tenant(namespace))
    await bench.isGone(resources.tokens, namespace, added.metadata.name)
  })

  test('fails for what cannot become ready, naming it', async () => {
    const objects = tenant(await bench.newNamespace(), { class: 'golden' })
    await expect(release(objects, '--timeout', '20s')).rejects.toThrow(/Organization\/\S*acme.*Failed/)
  })
})
