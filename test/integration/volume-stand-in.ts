import { systemClock } from '../../common/clock.ts'
import { pathOf, resources } from '../../operator/kube/resource.ts'
import type { ApiServer } from './api-server.ts'

interface Claim {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly uid: string }
  readonly spec: {
    readonly volumeName?: string
    readonly resources: { readonly requests: { readonly storage: string } }
  }
  readonly status?: {
    readonly phase?: string
    readonly capacity?: { readonly storage: string }
    readonly conditions?: readonly { readonly type: string }[]
  }
}

const driver = 'volumes.test.example'
const classPath = '/apis/storage.k8s.io/v1/storageclasses'
const pollMs = 150

/**
 * In the place of a CSI driver, its provisioner, its resizer and the kubelet: a storage class that is the cluster's
 * default, a volume for each claim of the storage nodes, and a claim that asks for more gets it, in the two steps in
 * which claims grow. No byte is stored.
 */
export class VolumeStandIn {
  readonly #server: ApiServer
  readonly #className: string
  readonly #stopping = new AbortController()
  readonly #volumes = new Set<string>()
  #running: Promise<void> = Promise.resolve()
  /** While true, no claim that asks for more gets it. */
  holdBack = false

  constructor(server: ApiServer) {
    this.#server = server
    this.#className = `volumes-${process.pid}`
  }

  async start(): Promise<void> {
    await this.#mustWork('POST', classPath, {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: {
        name: this.#className,
        annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
      },
      provisioner: driver,
      allowVolumeExpansion: true,
    })
    this.#running = this.#run()
  }

  async allowExpansion(isAllowed: boolean): Promise<void> {
    const body = { allowVolumeExpansion: isAllowed }
    await this.#mustWork('PATCH', `${classPath}/${this.#className}`, body, 'application/merge-patch+json')
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    for (const name of this.#volumes) await this.#server.send('DELETE', `/api/v1/persistentvolumes/${name}`)
    await this.#server.send('DELETE', `${classPath}/${this.#className}`)
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const selector = encodeURIComponent('app.kubernetes.io/component=storage-node')
      const path = `${pathOf(resources.persistentVolumeClaims, {})}?labelSelector=${selector}`
      const { body } = await this.#server.send('GET', path)
      for (const claim of (body['items'] as readonly Claim[] | undefined) ?? []) await this.#serve(claim)
      await systemClock.sleep(pollMs, this.#stopping.signal).catch(() => undefined)
    }
  }

  async #serve(claim: Claim): Promise<void> {
    const { status } = claim
    const { storage } = claim.spec.resources.requests
    const name = `volume-${claim.metadata.uid}`
    if (!this.#volumes.has(name)) {
      // What has a volume already was served by another test, whose namespaces are only now going.
      return claim.spec.volumeName === undefined ? this.#provision(claim, name) : undefined
    }
    if (status?.phase !== 'Bound' || status.capacity?.storage === storage || this.holdBack) return undefined
    if (status.conditions?.length) {
      await this.#server.setStatus(resources.persistentVolumeClaims, claim.metadata, {
        capacity: { storage },
        conditions: null,
      })
      return undefined
    }
    const growth = { spec: { capacity: { storage } } }
    const path = `/api/v1/persistentvolumes/${name}`
    await this.#mustWork('PATCH', path, growth, 'application/merge-patch+json')
    await this.#server.setStatus(resources.persistentVolumeClaims, claim.metadata, {
      conditions: [{ type: 'FileSystemResizePending', status: 'True', lastTransitionTime: null }],
    })
    return undefined
  }

  async #provision({ metadata, spec }: Claim, name: string): Promise<void> {
    this.#volumes.add(name)
    await this.#mustWork('POST', '/api/v1/persistentvolumes', {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name },
      spec: {
        capacity: spec.resources.requests,
        accessModes: ['ReadWriteOnce'],
        persistentVolumeReclaimPolicy: 'Retain',
        storageClassName: this.#className,
        csi: { driver, volumeHandle: name },
        claimRef: {
          kind: 'PersistentVolumeClaim',
          namespace: metadata.namespace,
          name: metadata.name,
          uid: metadata.uid,
        },
      },
    })
  }

  async #mustWork(method: 'POST' | 'PATCH', path: string, body: object, type?: string): Promise<void> {
    const answer = await this.#server.send(method, path, { body, ...(type !== undefined && { type }) })
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.body.message}`)
  }
}
