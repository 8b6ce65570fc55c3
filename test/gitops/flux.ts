import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { KubeObject } from '../../operator/kube/object.ts'
import { ensureFlux } from '../../scripts/gitops-engines.ts'
import type { ApiServer } from '../integration/api-server.ts'
import { eventually } from '../integration/operator-harness.ts'
import { HostProcess } from './host-process.ts'
import type { Repository } from './repository.ts'

const sourceApi = 'source.toolkit.fluxcd.io/v1'
const kustomizeApi = 'kustomize.toolkit.fluxcd.io/v1'
const source = 'tenants'

interface Condition {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message: string
}

/**
 * Flux's kustomize-controller as a process of this machine. What it is fed by is a git repository in a folder, whose commits
 * come by `publish` in the place of Flux's own fetcher, through the door that Flux has for others' sources.
 */
export class FluxController {
  readonly #server: ApiServer
  readonly #namespace: string
  readonly #folder: string
  readonly #files: Server
  readonly #process: HostProcess
  readonly #uninstall: () => Promise<void>

  private constructor(
    server: ApiServer,
    namespace: string,
    folder: string,
    files: Server,
    controller: HostProcess,
    uninstall: () => Promise<void>,
  ) {
    this.#server = server
    this.#namespace = namespace
    this.#folder = folder
    this.#files = files
    this.#process = controller
    this.#uninstall = uninstall
  }

  /** @param namespace is there already */
  static async start(
    server: ApiServer,
    kubeconfig: string,
    namespace: string,
    folder: string,
  ): Promise<FluxController> {
    const { program, definitions } = await ensureFlux()
    const uninstalls: (() => Promise<void>)[] = []
    for (const path of definitions) {
      for (const name of await readdir(path))
        uninstalls.push(await server.install(await readFile(join(path, name), 'utf8')))
    }
    const uninstall = async () => {
      for (const one of uninstalls) await one()
    }
    const files = createServer((request, response) => {
      void readFile(join(folder, (request.url ?? '').replaceAll(/[^a-z0-9.]/g, ''))).then(
        (bytes) => response.end(bytes),
        () => response.writeHead(404).end(),
      )
    })
    await new Promise<void>((resolve) => files.listen(0, '127.0.0.1', resolve))
    const args = [
      '--watch-all-namespaces=false',
      '--health-addr=127.0.0.1:0',
      '--metrics-addr=127.0.0.1:0',
      '--feature-gates=ExternalArtifact=true',
    ]
    const controller = new HostProcess(program, args, join(folder, 'flux.log'), {
      KUBECONFIG: kubeconfig,
      RUNTIME_NAMESPACE: namespace,
    })
    return new FluxController(server, namespace, folder, files, controller, uninstall)
  }

  log(): Promise<string> {
    return this.#process.log()
  }

  async stop(): Promise<void> {
    await this.#process.stop()
    await new Promise((resolve) => this.#files.close(resolve))
    await this.#uninstall()
  }

  /** Makes the newest commit known. @returns the revision, as Flux names it */
  async publish(repository: Repository): Promise<string> {
    const commit = (await repository.git('rev-parse', 'HEAD')).trim()
    const file = `${commit}.tar.gz`
    await repository.git('archive', '--format=tar.gz', '--output', join(this.#folder, file), 'HEAD')
    const bytes = await readFile(join(this.#folder, file))
    const revision = `main@sha1:${commit}`
    const now = new Date().toISOString()
    const metadata = { name: source, namespace: this.#namespace }
    const made = await this.#apply({ apiVersion: sourceApi, kind: 'ExternalArtifact', metadata, spec: {} })
    const { port } = this.#files.address() as AddressInfo
    const observedGeneration = made.metadata.generation
    await this.#apply(
      {
        apiVersion: sourceApi,
        kind: 'ExternalArtifact',
        metadata,
        status: {
          artifact: {
            path: file,
            url: `http://127.0.0.1:${port}/${file}`,
            revision,
            digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
            size: bytes.byteLength,
            lastUpdateTime: now,
          },
          conditions: [
            {
              type: 'Ready',
              status: 'True',
              reason: 'Succeeded',
              message: 'stored',
              lastTransitionTime: now,
              observedGeneration,
            },
          ],
        },
      },
      '/status',
    )
    return revision
  }

  /** The Kustomization of the example for users, on this source, and more often. */
  async reconcile(spec: object = {}): Promise<void> {
    const file = join(import.meta.dirname, '../../examples/gitops/flux.yaml')
    const example = parseAllDocuments(await readFile(file, 'utf8'))
      .map((document) => document.toJS() as KubeObject)
      .find(({ kind }) => kind === 'Kustomization')!
    const sourceRef = { apiVersion: sourceApi, kind: 'ExternalArtifact', name: source }
    await this.#apply({
      ...example,
      metadata: { name: source, namespace: this.#namespace },
      spec: { ...(example['spec'] as object), sourceRef, ...spec },
    })
  }

  /** Deletes the Kustomization, and waits until Flux has let it go. */
  async remove(): Promise<void> {
    const path = this.#path('kustomizations', kustomizeApi)
    await this.#server.send('DELETE', path)
    await eventually('the Kustomization is gone', 60_000, async () => {
      const { status } = await this.#server.send('GET', path)
      return status === 404
    })
  }

  /** What Flux says of the whole, null before its first word. */
  async ready(): Promise<(Condition & { readonly applied: string | undefined }) | null> {
    const { body } = await this.#server.send('GET', this.#path('kustomizations', kustomizeApi))
    const status = body['status'] as
      | { readonly conditions?: readonly Condition[]; readonly lastAppliedRevision?: string }
      | undefined
    const found = status?.conditions?.find(({ type }) => type === 'Ready')
    return found ? { ...found, applied: status?.lastAppliedRevision } : null
  }

  async #apply(object: KubeObject, subresource = ''): Promise<KubeObject> {
    const plural = object.kind === 'Kustomization' ? 'kustomizations' : 'externalartifacts'
    const path = `${this.#path(plural, object.apiVersion)}${subresource}?fieldManager=test&force=true`
    const answer = await this.#server.send('PATCH', path, {
      body: object,
      type: 'application/apply-patch+yaml',
    })
    if (answer.status >= 300) throw new Error(`${object.kind}: ${answer.body.message}`)
    return answer.body as unknown as KubeObject
  }

  #path(plural: string, apiVersion: string): string {
    return `/apis/${apiVersion}/namespaces/${this.#namespace}/${plural}/${source}`
  }
}
