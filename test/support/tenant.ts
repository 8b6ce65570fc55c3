import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import type { TestCluster } from './kubernetes.ts'
import { rememberToken, runFolder } from './seen-tokens.ts'

/** A tenant as its application sees it: what the Token's Secret says, and the gateway's address. */
export interface Tenant {
  readonly namespace: string
  readonly organizationId: string
  readonly organization: string
  readonly token: string
  /** File with the authority that signed the gateway's certificate. */
  readonly caFile: string
  send(path: string, options?: SendOptions): Promise<Reply>
}

export interface SendOptions {
  readonly method?: 'GET' | 'POST'
  readonly query?: Readonly<Record<string, string>>
  readonly body?: string
  /** In place of this tenant's own `Authorization: Token …`. */
  readonly headers?: Readonly<Record<string, string>>
}

export interface Reply {
  readonly status: number
  readonly body: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** Reads the Secret of a Token once, as an application does at its start. */
export async function tenantOf(test: TestCluster, namespace: string, tokenSecret: string): Promise<Tenant> {
  const { data } = await test.get('secret', tokenSecret, '--namespace', namespace)
  const [token, organization, organizationId, ca] = ['token', 'org', 'org-id', 'ca.crt'].map((key) =>
    Buffer.from(data[key]!, 'base64').toString('utf8'),
  )
  await rememberToken(token!)
  const caFile = join(runFolder, `${namespace}-${tokenSecret}.crt`)
  await writeFile(caFile, ca!)
  const dispatcher = new Agent({ connect: { ca: ca! }, keepAliveTimeout: 1_000 })
  return {
    namespace,
    organization: organization!,
    organizationId: organizationId!,
    token: token!,
    caFile,
    async send(path, options = {}) {
      const response = await request(new URL(path, test.gateway), {
        method: options.method ?? 'POST',
        query: options.query ?? {},
        headers: { authorization: `Token ${token}`, ...options.headers },
        body: options.body ?? null,
        dispatcher,
        headersTimeout: 30_000,
        bodyTimeout: 30_000,
      })
      return { status: response.statusCode, body: await response.body.text(), headers: response.headers }
    },
  }
}

/** The namespace with an organization's pods. */
export const runtimeNamespaceOf = (tenant: Tenant): string => `holdfast-${tenant.organizationId}`

/** Every request that reached the organization's node, as its own log tells, without the kubelet's probes. */
export async function requestsAtNode(test: TestCluster, tenant: Tenant): Promise<readonly NodeRequest[]> {
  const log = await test.kubectl([
    'logs',
    '--namespace',
    runtimeNamespaceOf(tenant),
    'storage-node-0',
    '--tail',
    '-1',
  ])
  return log
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as NodeRequest)
    .filter((line) => line.msg === 'request' && !['/health', '/ready', '/ping'].includes(line.path))
}

export interface NodeRequest {
  readonly msg: string
  readonly requestId: string
  readonly path: string
  readonly status: number
  readonly tokenId?: string
}

/** The only value of an InfluxQL answer with one series, one row and one column besides time. */
export function onlyValue(reply: Reply): unknown {
  const answer = JSON.parse(reply.body) as { results: { series?: { values: unknown[][] }[] }[] }
  return answer.results[0]?.series?.[0]?.values[0]?.[1]
}
