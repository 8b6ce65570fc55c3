import { randomBytes } from 'node:crypto'
import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
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
  let namespace: KubeObject
  // Each test has a line, connections and objects of its own: none finds what another has left.
  let proxy: CutProxy
  let proxied: KubeClient
  let label: string
  const reflectors: Reflector[] = []

  beforeAll(async () => {
    direct = openKubeClient({ kubeconfig: kubeconfig!, requestsPerSecond: 1_000, burst: 1_000 })
    namespace = await createTestNamespace(direct)
  })

  afterAll(async () => {
    await direct.delete(namespace)
    await direct.close()
  })

  beforeEach(async () => {
    proxy = await CutProxy.open(kubeconfig!)
    proxied = openKubeClient({ kubeconfig: proxy.kubeconfig })
    label = randomBytes(4).toString('hex')
  })

  afterEach(async () => {
    for (const reflector of reflectors.splice(0)) await reflector.stop()
    await proxied.close()
    await proxy.close()
  })

  /** The name in the cluster is the test's own as well. */
  const nameOf = (name: string): string => `${label}-${name}`

  const configMap = (name: string, value: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: nameOf(name), namespace: namespace.metadata.name, labels: { test: label } },
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
      labelSelector: `test=${label}`,
      ...more,
    })
    reflector.onChange((before, after) => {
      expect(before?.metadata.uid ?? after?.metadata.uid).toBe(after?.metadata.uid ?? before?.metadata.uid)
      changes.push(`${textOf(before)} -> ${textOf(after)}`)
    })
    reflectors.push(reflector)
    return { reflector, changes }
  }

  const textOf = (object: KubeObject | undefined): string =>
    object
      ? `${object.metadata.name.slice(nameOf('').length)}=${(object['data'] as { value: string }).value}`
      : '-'

  const contents = (objects: readonly KubeObject[]): readonly string[] =>
    objects.map((object) => `${textOf(object)} ${object.metadata.resourceVersion}`).sort()

  async function untilEqual(reflector: Reflector): Promise<void> {
    const options = { namespace: namespace.metadata.name, labelSelector: `test=${label}` }
    const { items } = await direct.list(resource, options)
    await until(() => expect(contents(reflector.list())).toEqual(contents(items)))
  }

  /** The first list is in and a watch is open, since it has told of a change. */
  async function untilFollowing({ reflector, changes }: ReturnType<typeof open>): Promise<void> {
    await reflector.start()
    const sign = await direct.create(configMap('sign', '1'))
    await until(() => expect(changes).toContain('- -> sign=1'))
    await direct.delete(sign)
    await until(() => expect(changes).toContain('sign=1 -> -'))
    changes.splice(0)
  }

  const until = (holds: () => void): Promise<void> => vi.waitFor(holds, { timeout: 60_000, interval: 50 })

  test('tells what comes, changes, goes and comes again', async () => {
    const { reflector, changes } = open()
    await reflector.start()
    const a = await direct.create(configMap('a', '1'))
    await direct.apply(configMap('a', '2'))
    await direct.delete(a)
    await direct.create(configMap('a', '3'))
    await untilEqual(reflector)
    expect(changes).toEqual(['- -> a=1', 'a=1 -> a=2', 'a=2 -> -', '- -> a=3'])
    expect(reflector.get(namespace.metadata.name, nameOf('a'))?.metadata).not.toHaveProperty('managedFields')
  })

  test('finds out what happened while the API server could not be reached', async () => {
    const [kept, gone, replaced] = await Promise.all(
      ['kept', 'gone', 'replaced'].map((name) => direct.create(configMap(name, '1'))),
    )
    const opened = open()
    const { reflector, changes } = opened
    await untilFollowing(opened)
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
    expect(reflector.get(namespace.metadata.name, nameOf('kept'))?.metadata.uid).toBe(kept!.metadata.uid)
  })

  test('loses nothing while the line is cut again and again under load', async () => {
    const opened = open()
    const { reflector, changes } = opened
    await untilFollowing(opened)
    const story = (name: string) => changes.filter((change) => change.includes(`${name}=`))
    const cutting = new AbortController()
    const writing = Promise.all(
      Array.from({ length: 8 }, async (_, writer) => {
        // A round of five ends with nothing there.
        for (
          let round = 0;
          round < 25 || round % 5 > 0 || (!cutting.signal.aborted && round < 1_000);
          round += 1
        ) {
          const object = await direct.apply(configMap(`w${writer}`, String(round)))
          if (round % 5 === 4) await direct.delete(object)
          await systemClock.sleep(30)
        }
      }),
    )
    await until(() => expect(Math.min(story('w0').length, story('w7').length)).toBeGreaterThan(1))
    for (let cut = 0; cut < 4; cut += 1) {
      proxy.cut()
      await systemClock.sleep(250)
    }
    cutting.abort()
    await writing
    await direct.create(configMap('last', '1'))
    await untilEqual(reflector)
    expect(reflector.list().map(textOf)).toEqual(['last=1'])
    for (const name of ['w0', 'w7']) {
      const steps = story(name)
      expect(steps.length).toBeGreaterThan(1)
      // Each step begins where the one before it has ended.
      for (const [index, step] of steps.entries())
        expect(step.split(' -> ')[0]).toBe(index === 0 ? '-' : steps[index - 1]!.split(' -> ')[1])
    }
  })

  test('notices a line that has fallen silent', async () => {
    const opened = open({ silenceMs: 2_000 })
    const { reflector } = opened
    await untilFollowing(opened)
    proxy.silence()
    await direct.create(configMap('unheard', '1'))
    await untilEqual(reflector)
    expect(reflector.size).toBe(1)
  })

  test('collects a list of several pages', async () => {
    const names = Array.from({ length: 510 }, (_, index) => `page-${index}`)
    await Promise.all(names.map((name) => direct.create(configMap(name, '1'))))
    const { reflector } = open()
    await reflector.start()
    expect(reflector.size).toBe(510)
  })
})
