import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openKubeClient } from '../../operator/kube/http-client.ts'
import type { KubeClient, KubeObject } from '../../operator/kube/client.ts'
import { resources, type Resource } from '../../operator/kube/resource.ts'
import { kstatusOf, type KStatus } from '../support/kstatus.ts'
import { OperatorBench, condition, database, organization, token } from './operator-bench.ts'
import { eventually, soonMs } from './operator-harness.ts'

// Nobody who goes by kstatus takes an object of ours for healthy before it is: not between its creation and the operator's
// first word, not while no operator runs, not for an instant. Every state is looked at that the API server ever tells of.

const kubeconfig = process.env['KUBECONFIG']

describe.skipIf(kubeconfig === undefined)('health (KUBECONFIG names the cluster)', () => {
  let bench: OperatorBench
  let client: KubeClient

  beforeAll(async () => {
    bench = await OperatorBench.open(kubeconfig!)
    client = openKubeClient({ kubeconfig: kubeconfig! })
  })

  afterAll(async () => {
    await client.close()
    await bench.close()
  })

  const named = [
    [resources.organizations, 'acme'],
    [resources.databases, 'metrics'],
    [resources.tokens, 'writer'],
  ] as const

  /** Every state that objects of a namespace are in from now on. */
  async function follow(namespace: string) {
    const ending = new AbortController()
    const states: KubeObject[] = []
    const watching: Promise<void>[] = []
    for (const [resource] of named) {
      const { resourceVersion } = await client.list(resource, { namespace })
      const opened = Promise.withResolvers<void>()
      watching.push(watch(resource, resourceVersion, opened.resolve))
      await opened.promise
    }
    async function watch(resource: Resource, resourceVersion: string, onOpen: () => void): Promise<void> {
      const { signal } = ending
      const events = client.watch(resource, {
        namespace,
        resourceVersion,
        timeoutSeconds: 300,
        signal,
        onOpen,
      })
      try {
        for await (const { type, object } of events)
          if (type === 'ADDED' || type === 'MODIFIED') states.push(object)
      } catch (error) {
        if (!signal.aborted) throw error
      }
    }
    return {
      /** Waits until it has told of an object as this one is: what is read may come before what is watched. */
      saw: (object: KubeObject) =>
        eventually('the watch has told of it', soonMs, async () =>
          states.some(
            ({ kind, metadata }) =>
              kind === object.kind && metadata.resourceVersion === object.metadata.resourceVersion,
          ),
        ),
      /** Of the object of this kind, in order. */
      of: (kind: string): readonly KubeObject[] => states.filter((state) => state.kind === kind),
      async end(): Promise<void> {
        ending.abort()
        await Promise.all(watching)
      },
    }
  }

  const said = (states: readonly KubeObject[]): readonly KStatus[] => states.map(kstatusOf)

  test('what has no operator yet is in progress, what cannot become ready never healthy, what is mended waits again', async () => {
    const namespace = await bench.newNamespace()
    expect(await bench.operator.stop()).toBe(0)
    const seen = await follow(namespace)
    for (const object of [
      organization(namespace, { class: 'golden' }),
      database(namespace),
      token(namespace),
    ])
      await bench.apply(object)
    for (const [resource, name] of named)
      expect(kstatusOf((await bench.get(resource, namespace, name))!)).toBe('InProgress')

    await bench.operator.start()
    await seen.saw(await bench.hasReason(resources.organizations, namespace, 'acme', 'ClassNotFound'))
    await seen.saw(await bench.hasReason(resources.databases, namespace, 'metrics', 'OrganizationNotReady'))
    await seen.saw(await bench.hasReason(resources.tokens, namespace, 'writer', 'OrganizationNotReady'))
    for (const kind of ['Organization', 'Database', 'Token']) {
      const states = seen.of(kind)
      expect(states.length, kind).toBeGreaterThanOrEqual(2)
      // The first is before the operator's first word: a condition and observedGeneration come after it.
      expect(states[0]?.['status'], kind).toEqual({ observedGeneration: -1 })
      expect(said(states), kind).not.toContain('Current')
    }
    expect(said(seen.of('Organization')).at(-1)).toBe('Failed')

    await bench.apply(organization(namespace))
    await bench.becomesReady(resources.organizations, namespace, 'acme')
    await bench.becomesReady(resources.databases, namespace, 'metrics')
    await bench.becomesReady(resources.tokens, namespace, 'writer')
    await bench.writesAtRest()
    for (const [resource, name] of named) await seen.saw((await bench.get(resource, namespace, name))!)
    await seen.end()
    for (const kind of ['Organization', 'Database', 'Token']) {
      const states = seen.of(kind)
      expect(said(states).at(-1), kind).toBe('Current')
      const early = states.filter((state) => kstatusOf(state) === 'Current')
      for (const state of early) expect(condition(state, 'Ready')?.status, kind).toBe('True')
    }
  })

  test('an edit is in progress from the moment that it is made', async () => {
    const { namespace } = await bench.newTenant()
    await bench.writesAtRest()
    const seen = await follow(namespace)
    await bench.apply(organization(namespace, { class: 'golden' }))
    await seen.saw(await bench.hasReason(resources.organizations, namespace, 'acme', 'ClassNotFound'))
    await seen.end()
    const states = said(seen.of('Organization'))
    expect(states[0]).toBe('InProgress')
    expect(states).not.toContain('Current')
  })
})
