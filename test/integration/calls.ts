import type { KubeObject } from '../../operator/kube/object.ts'
import { pathOf, resourceOf } from '../../operator/kube/resource.ts'
import type { Answer, ApiServer } from './api-server.ts'

/** One request to the API server, as a table of attempts holds it. */
export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly body?: unknown
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
}

export const get = (path: string): Call => ({ method: 'GET', path })
export const create = (object: KubeObject): Call => ({
  method: 'POST',
  path: pathOf(resourceOf(object), { namespace: object.metadata.namespace }),
  body: object,
})
export const apply = (object: KubeObject): Call => ({
  method: 'PATCH',
  path: `${pathOf(resourceOf(object), object.metadata)}?fieldManager=holdfast&force=true`,
  body: object,
  type: 'application/apply-patch+yaml',
})
export const merge = (path: string, body: unknown): Call => ({
  method: 'PATCH',
  path,
  body,
  type: 'application/merge-patch+json',
})
export const post = (path: string, body: unknown): Call => ({ method: 'POST', path, body })
export const remove = (path: string): Call => ({ method: 'DELETE', path })

export function send(server: ApiServer, { method, path, ...options }: Call): Promise<Answer> {
  return server.send(method, path, options)
}

/** All of it but that it is stored. */
export function rehearse(server: ApiServer, call: Call): Promise<Answer> {
  if (call.method === 'GET') return send(server, call)
  return send(server, { ...call, path: `${call.path}${call.path.includes('?') ? '&' : '?'}dryRun=All` })
}
