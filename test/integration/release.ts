import { join } from 'node:path'
import { stringify } from 'yaml'
import { ensureTools, findTools } from '../../local-kubernetes/tools.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { pathOf, resources } from '../../operator/kube/resource.ts'
import { run } from '../../scripts/run.ts'
import type { ApiServer } from './api-server.ts'

const chart = join(import.meta.dirname, '../../charts/holdfast')
const name = 'holdfast'

/** No node has this label, so that nothing but stand-ins ever runs, and the images need not be there. */
const nodeSelector = { 'holdfast.dev/no-such-node': 'true' }
const values = {
  image: { repository: 'localhost/holdfast', tag: 'none' },
  operator: { nodeSelector },
  storageNode: { images: { '0.1.0': 'localhost/storage-node:none' } },
  gateway: { url: 'https://gateway.example:8086', nodeSelector },
  // Where nothing runs, nothing can be tried.
  isolation: { required: false, probe: { nodeSelector } },
  classes: { standard: { nodeSelector } },
}

/** The chart as Helm installs it, on a control plane that no other release is on. */
export class Release {
  readonly namespace: string
  readonly #server: ApiServer
  readonly #kubeconfig: string

  constructor(server: ApiServer, kubeconfig: string, namespace: string) {
    this.#server = server
    this.#kubeconfig = kubeconfig
    this.namespace = namespace
  }

  /**
   * Installs or upgrades.
   * @param settings as for `helm --set`
   * @param from the folder of the chart, if it is not the repository's
   * @throws Error where there is a release already that is not this one
   */
  async install(settings: readonly string[] = [], from = chart): Promise<void> {
    await ensureTools((line) => console.log(line))
    const binding = await this.#read('rbac.authorization.k8s.io/v1/clusterrolebindings/holdfast-operator')
    const owner = binding?.metadata.annotations?.['meta.helm.sh/release-namespace']
    if (binding && owner !== this.namespace) throw new Error('this cluster has an installation of its own')
    const sets = settings.flatMap((setting) => ['--set', setting])
    // Other tests leave the definitions and the roles that have one name for all.
    const args = ['upgrade', '--install', name, from, '--take-ownership', '--values', '-', ...sets]
    await this.#helm(args, stringify(values))
  }

  async uninstall(): Promise<void> {
    await this.#helm(['uninstall', name, '--ignore-not-found', '--wait'])
  }

  /** What the operator reads at its start. */
  async platformFile(): Promise<string> {
    const path = pathOf(resources.configMaps, { namespace: this.namespace, name: 'holdfast-platform' })
    const { body } = await this.#server.send('GET', path)
    return (body['data'] as Readonly<Record<string, string>>)['platform.yaml']!
  }

  /** A CustomResourceDefinition of ours, null if there is none. */
  definition(plural: string): Promise<KubeObject | null> {
    return this.#read(`apiextensions.k8s.io/v1/customresourcedefinitions/${plural}.holdfast.dev`)
  }

  async #read(path: string): Promise<KubeObject | null> {
    const { status, body } = await this.#server.send('GET', `/apis/${path}`)
    return status === 200 ? (body as unknown as KubeObject) : null
  }

  async #helm(args: readonly string[], input?: string): Promise<void> {
    await run(findTools().helm, [...args, '--namespace', this.namespace, '--kubeconfig', this.#kubeconfig], {
      timeoutMs: 120_000,
      ...(input !== undefined && { input }),
    })
  }
}
