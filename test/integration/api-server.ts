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

interface ParsedDefinition {
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly group: string
    readonly names: { readonly plural: string }
    readonly versions: readonly [{ readonly name: string }]
  }
}

/** Of the objects of a kind. */
const servedPath = ({ spec: { group, names, versions } }: ParsedDefinition): string =>
  `/apis/${group}/${versions[0].name}/${names.plural}?limit=1`

/** What is looked at of a CustomResourceDefinition, of its objects, or of the Status that says that there is none. */
interface Definition {
  readonly items?: unknown
  readonly metadata?: { readonly deletionTimestamp?: string }
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[] | null
  }
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
    options: {
      readonly body?: unknown
      readonly type?: string
      readonly accept?: string
      readonly headers?: Readonly<Record<string, string>>
    } = {},
  ): Promise<Answer> {
    const answer = await this.#pool.request({
      method,
      path: this.#prefix + path,
      headers: {
        ...this.#headers,
        ...options.headers,
        accept: options.accept ?? 'application/json',
        ...(options.body !== undefined && { 'content-type': options.type ?? 'application/json' }),
      },
      ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
    })
    const text = await answer.body.text()
    // An address that the API server does not know is answered in plain text.
    const isJson = String(answer.headers['content-type']).includes('json')
    return { status: answer.statusCode, body: isJson ? (JSON.parse(text) as Json) : { message: text } }
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

  /**
   * Applies a CustomResourceDefinition, and waits until the API server serves it.
   * @returns a way to take it, and all of its objects, away again: nothing is done where it was there before
   */
  async install(yaml: string): Promise<() => Promise<void>> {
    const definition = parse(yaml) as ParsedDefinition
    const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${definition.metadata.name}`
    await this.#eventually(`${path} is gone`, path, ({ metadata }) => !metadata?.deletionTimestamp)
    const answer = await this.send('PATCH', `${path}?fieldManager=test&force=true`, {
      body: definition,
      type: 'application/apply-patch+yaml',
    })
    if (answer.status >= 300) throw new Error(`${definition.metadata.name}: ${answer.body.message}`)
    await this.#eventually(
      `${path} is served`,
      path,
      ({ status }) =>
        status?.conditions?.some((found) => found.type === 'Established' && found.status === 'True') ?? false,
    )
    // Established is what is stored; who answers hears of it a moment later.
    await this.#eventually(`${path} is answered for`, servedPath(definition), ({ items }) =>
      Array.isArray(items),
    )
    return async () => {
      if (answer.status === 201) await this.send('DELETE', path)
    }
  }

  async #eventually(what: string, path: string, holds: (definition: Definition) => boolean): Promise<void> {
    for (let attempt = 0; attempt < 600; attempt++) {
      const { body } = await this.send('GET', path)
      if (holds(body as Definition)) return
      await systemClock.sleep(100)
    }
    throw new Error(`not within a minute: ${what}`)
  }
}
