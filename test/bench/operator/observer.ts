import { Registry } from 'prom-client'
import { systemClock } from '../../../common/clock.ts'
import { silentLogger } from '../../../common/log.ts'
import { Reflector } from '../../../operator/controller/reflector.ts'
import type { KubeClient } from '../../../operator/kube/client.ts'
import { openKubeClient } from '../../../operator/kube/http-client.ts'
import type { KubeObject } from '../../../operator/kube/object.ts'
import { resources, type Resource } from '../../../operator/kube/resource.ts'
import { labelKeys, managedBy } from '../../../operator/naming/labels.ts'
import { networkPolicies } from '../../../operator/naming/names.ts'

/** A user who watches: when things were told, in milliseconds of `performance.now()`. */
export class Observer {
  /** By the name of the runtime namespace: when its StatefulSet was there. */
  readonly childMs = new Map<string, number>()
  /** By uid: when the object was Ready for the first time. */
  readonly readyMs = new Map<string, number>()
  readonly #client: KubeClient
  readonly #reflectors: Reflector[] = []
  readonly #opened = new Map<string, (atMs: number) => void>()

  private constructor(client: KubeClient) {
    this.#client = client
    const managed = { labelSelector: `${labelKeys.managedBy}=${managedBy}` }
    for (const kind of [resources.organizations, resources.databases, resources.tokens])
      this.#watch(kind, {}, (object) => this.#sawMember(object))
    this.#watch(resources.statefulSets, managed, ({ metadata }) => {
      const namespace = metadata.namespace ?? ''
      if (!this.childMs.has(namespace)) this.childMs.set(namespace, performance.now())
    })
    this.#watch(resources.networkPolicies, managed, (policy) => this.#sawPolicy(policy))
  }

  static async open(kubeconfig: string): Promise<Observer> {
    const observer = new Observer(openKubeClient({ kubeconfig }))
    await Promise.all(observer.#reflectors.map((reflector) => reflector.start()))
    return observer
  }

  async close(): Promise<void> {
    await Promise.all(this.#reflectors.map((reflector) => reflector.stop()))
    await this.#client.close()
  }

  /** Resolves with the time at which the direct path of an organization was opened to a range of addresses. */
  untilOpened(runtimeNamespace: string, cidr: string): Promise<number> {
    return new Promise((resolve) => this.#opened.set(`${runtimeNamespace} ${cidr}`, resolve))
  }

  #watch(
    resource: Resource,
    selected: { readonly labelSelector?: string },
    saw: (object: KubeObject) => void,
  ): void {
    const reflector = new Reflector({
      client: this.#client,
      clock: systemClock,
      log: silentLogger,
      registry: new Registry(),
      resource,
      ...selected,
    })
    reflector.onChange((_before, after) => {
      if (after) saw(after)
    })
    this.#reflectors.push(reflector)
  }

  #sawMember(object: KubeObject): void {
    const { uid = '', generation } = object.metadata
    if (this.readyMs.has(uid)) return
    const status = (object['status'] ?? {}) as {
      readonly observedGeneration?: number
      readonly conditions?: readonly { readonly type: string; readonly status: string }[]
    }
    const ready = status.conditions?.find(({ type }) => type === 'Ready')
    if (ready?.status === 'True' && status.observedGeneration === generation)
      this.readyMs.set(uid, performance.now())
  }

  #sawPolicy({ metadata, spec }: KubeObject): void {
    if (metadata.name !== networkPolicies.direct) return
    const text = JSON.stringify(spec)
    for (const [key, resolve] of this.#opened) {
      const [namespace = '', cidr = ''] = key.split(' ')
      if (namespace !== metadata.namespace || !text.includes(`"${cidr}"`)) continue
      this.#opened.delete(key)
      resolve(performance.now())
    }
  }
}
