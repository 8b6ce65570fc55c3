import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { silentLogger } from '../../common/log.ts'
import { Reflector, type ReflectorOptions } from '../../operator/controller/reflector.ts'
import type { KubeClient } from '../../operator/kube/client.ts'
import { openKubeClient } from '../../operator/kube/http-client.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { resources } from '../../operator/kube/resource.ts'
import { CutProxy } from './cut-proxy.ts'
import { createTestNamespace } from './test-namespace.ts'

/*
 * The promise: against a real API server, over a line that breaks, is refused and falls silent, the cache becomes what
 * the API server has and every object's story is told in order.
 */
const kubeconfig = process.env['KUBECONFIG']
const resource = resources.configMaps

describe.skipIf(kubeconfig === undefined)('the reflector (KUBECONFIG names the cluster)', () => {
  let direct: KubeClient
  let proxy: CutProxy
  let proxied: KubeClient
  let namespace: KubeObject

  beforeAll(async () => {
    direct = openKubeClient({ kubeconfig: kubeconfig!, requestsPerSecond: 1_000, burst: 1_000 })
    proxy = await CutProxy.open(kubeconfig!)
    proxied = openKubeClient({ kubeconfig: proxy.kubeconfig })
    namespace = await createTestNamespace(direct)
  })

  afterAll(async () => {
    await direct.delete(namespace)
    await Promise.all([proxied.close(), direct.close()])
    await proxy.close()
  })

  const configMap = (name: string, value: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: namespace.metadata.name, labels: { test: 'reflector' } },
    data: { value },
  })

  function open(more: Partial<ReflectorOptions> = {}) {
    const changes: string[] = []
    const reflector = new Reflector({
      resource,
      client: proxied,
      clock: systemClock,
      log: silentLogger,
      registry: new Registry(),
      namespace: namespace.metadata.name,
      labelSelector: 'test=reflector',
      ...more,
    })
    reflector.onChange((before, after) => {
      expect(before?.metadata.uid ?? after?.metadata.uid).toBe(after?.metadata.uid ?? before?.metadata.uid)
      changes.push(`${textOf(before)} -> ${textOf(after)}`)
    })
    return { reflector, changes }
  }

  const textOf = (object: KubeObject | undefined): string =>
    object ? `${object.metadata.name}=${(object['data'] as { value: string }).value}` : '-'

  const contents = (objects: readonly KubeObject[]): readonly string[] =>
    objects.map((object) => `${textOf(object)} ${object.metadata.resourceVersion}`).sort()

  async function untilEqual(reflector: Reflector): Promise<void> {
    const options = { namespace: namespace.metadata.name, labelSelector: 'test=reflector' }
    await expect
      .poll(async () => contents(reflector.list()), { timeout: 20_000, interval: 100 })
      .toEqual(contents((await direct.list(resource, options)).items))
  }

  async function clear(): Promise<void> {
    const { items } = await direct.list(resource, {
      namespace: namespace.metadata.name,
      labelSelector: 'test=reflector',
    })
    await Promise.all(items.map((item) => direct.delete(item)))
  }

  test('tells what comes, changes, goes and comes again', async () => {
    const { reflector, changes } = open()
    await reflector.start()
    const a = await direct.create(configMap('a', '1'))
    await direct.apply(configMap('a', '2'))
    await direct.delete(a)
    await direct.create(configMap('a', '3'))
    await untilEqual(reflector)
    expect(changes).toEqual(['- -> a=1', 'a=1 -> a=2', 'a=2 -> -', '- -> a=3'])
    expect(reflector.get(namespace.metadata.name, 'a')?.metadata).not.toHaveProperty('managedFields')
    await reflector.stop()
    await clear()
  })

  test('finds out what happened while the API server could not be reached', async () => {
    const [kept, gone, replaced] = await Promise.all(
      ['kept', 'gone', 'replaced'].map((name) => direct.create(configMap(name, '1'))),
    )
    const { reflector, changes } = open()
    await reflector.start()
    await untilEqual(reflector)
    changes.splice(0)
    proxy.refuse()
    await direct.apply(configMap('kept', '2'))
    await direct.delete(gone!)
    await direct.delete(replaced!)
    await direct.create(configMap('replaced', 'new'))
    await direct.create(configMap('new', '1'))
    await systemClock.sleep(1_500)
    expect(changes).toEqual([])
    proxy.allow()
    await untilEqual(reflector)
    expect([...changes].sort()).toEqual(
      ['- -> new=1', '- -> replaced=new', 'gone=1 -> -', 'kept=1 -> kept=2', 'replaced=1 -> -'].sort(),
    )
    expect(changes.indexOf('replaced=1 -> -')).toBeLessThan(changes.indexOf('- -> replaced=new'))
    expect(reflector.get(namespace.metadata.name, 'kept')?.metadata.uid).toBe(kept!.metadata.uid)
    await reflector.stop()
    await clear()
  })

  test('loses nothing while the line is cut again and again under load', async () => {
    const { reflector, changes } = open()
    await reflector.start()
    const writing = Promise.all(
      Array.from({ length: 8 }, async (_, writer) => {
        for (let round = 0; round < 25; round += 1) {
          const object = await direct.apply(configMap(`w${writer}`, String(round)))
          if (round % 5 === 4) await direct.delete(object)
          await systemClock.sleep(30)
        }
      }),
    )
    for (let cut = 0; cut < 4; cut += 1) {
      await systemClock.sleep(250)
      proxy.cut()
    }
    await writing
    await direct.create(configMap('last', '1'))
    await untilEqual(reflector)
    expect(reflector.list().map(textOf)).toEqual(['last=1'])
    for (const name of ['w0', 'w7']) {
      const story = changes.filter((change) => change.includes(`${name}=`))
      expect(story.length).toBeGreaterThan(1)
      // Each step begins where the one before it has ended.
      for (const [index, step] of story.entries())
        expect(step.split(' -> ')[0]).toBe(index === 0 ? '-' : story[index - 1]!.split(' -> ')[1])
    }
    await reflector.stop()
    await clear()
  })

  test('notices a line that has fallen silent', async () => {
    const { reflector } = open({ silenceMs: 2_000 })
    await reflector.start()
    proxy.silence()
    await direct.create(configMap('unheard', '1'))
    await untilEqual(reflector)
    expect(reflector.size).toBe(1)
    await reflector.stop()
    proxy.cut()
    await clear()
  })

  test('collects a list of several pages', async () => {
    const names = Array.from({ length: 510 }, (_, index) => `page-${index}`)
    await Promise.all(names.map((name) => direct.create(configMap(name, '1'))))
    const { reflector } = open()
    await reflector.start()
    expect(reflector.size).toBe(510)
    await reflector.stop()
    await clear()
  })
})
