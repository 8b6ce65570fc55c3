import { Pool } from 'undici'
import { parse } from 'yaml'
import { systemClock } from '../../common/clock.ts'
import { CredentialSource } from '../../operator/kube/credentials.ts'
import type { KubeObject, ObjectRef } from '../../operator/kube/object.ts'
import { pathOf, resourceOf, type Resource } from '../../operator/kube/resource.ts'

export interface Answer {
  readonly status: number
  /** The object, the table or the Status that came back. */
  readonly body: Json
}

type Json = Readonly<Record<string, unknown>> & { readonly message?: string }

/**
 * The API server that KUBECONFIG points at, spoken to as plainly as can be, so that what it refuses is seen as it says
 * it.
 */
export class ApiServer {
  readonly #pool: Pool
  readonly #headers: Readonly<Record<string, string>>
  readonly #prefix: string

  private constructor(pool: Pool, headers: Readonly<Record<string, string>>, prefix: string) {
    this.#pool = pool
    this.#headers = headers
    this.#prefix = prefix
  }

  static async open(kubeconfig: string): Promise<ApiServer> {
    const { origin, tls, headers, pathPrefix } = await new CredentialSource(kubeconfig, systemClock).current()
    return new ApiServer(new Pool(origin, { connections: 4, connect: tls }), headers, pathPrefix)
  }

  close(): Promise<void> {
    return this.#pool.close()
  }

  async send(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    options: { readonly body?: unknown; readonly type?: string; readonly accept?: string } = {},
  ): Promise<Answer> {
    const answer = await this.#pool.request({
      method,
      path: this.#prefix + path,
      headers: {
        ...this.#headers,
        accept: options.accept ?? 'application/json',
        ...(options.body !== undefined && { 'content-type': options.type ?? 'application/json' }),
      },
      ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
    })
    return { status: answer.statusCode, body: (await answer.body.json()) as Json }
  }

  create(object: KubeObject): Promise<Answer> {
    return this.send('POST', pathOf(resourceOf(object), { namespace: object.metadata.namespace }), {
      body: object,
    })
  }

  /** Server-side apply. */
  apply(object: KubeObject, options: { readonly dryRun?: boolean } = {}): Promise<Answer> {
    const path = pathOf(resourceOf(object), object.metadata)
    return this.send('PATCH', `${path}?fieldManager=test&force=true${options.dryRun ? '&dryRun=All' : ''}`, {
      body: object,
      type: 'application/apply-patch+yaml',
    })
  }

  /** Replaces the spec of what is there, whole. */
  async replaceSpec(resource: Resource, ref: ObjectRef, spec: unknown): Promise<Answer> {
    const { body } = await this.send('GET', pathOf(resource, ref))
    return this.send('PUT', pathOf(resource, ref), { body: { ...body, spec } })
  }

  /** Server-side apply of the status alone, as the operator does it. */
  applyStatus({ apiVersion, kind, metadata }: KubeObject, status: unknown): Promise<Answer> {
    const path = pathOf(resourceOf({ apiVersion, kind }), metadata, 'status')
    return this.send('PATCH', `${path}?fieldManager=test&force=true`, {
      body: { apiVersion, kind, metadata: { name: metadata.name, namespace: metadata.namespace }, status },
      type: 'application/apply-patch+yaml',
    })
  }

  setStatus(resource: Resource, ref: ObjectRef, status: unknown): Promise<Answer> {
    return this.send('PATCH', pathOf(resource, ref, 'status'), {
      body: { status },
      type: 'application/merge-patch+json',
    })
  }

  /** Applies a CustomResourceDefinition, and waits until the API server serves it. */
  async install(yaml: string): Promise<void> {
    const definition = parse(yaml) as { metadata: { name: string } }
    const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${definition.metadata.name}`
    const answer = await this.send('PATCH', `${path}?fieldManager=test&force=true`, {
      body: definition,
      type: 'application/apply-patch+yaml',
    })
    if (answer.status >= 300) throw new Error(`${definition.metadata.name}: ${answer.body.message}`)
    for (let attempt = 0; attempt < 100; attempt++) {
      const { body } = await this.send('GET', path)
      const { conditions = [] } = body['status'] as { conditions?: { type: string; status: string }[] }
      if (conditions.some(({ type, status }) => type === 'Established' && status === 'True')) return
      await systemClock.sleep(100)
    }
    throw new Error(`${definition.metadata.name} is not served after 10 s`)
  }
}
