import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request, type Dispatcher } from 'undici'
import { identity } from '../../common/identity.ts'
import { tokenId } from '../../common/ids.ts'
import { stateBody, type AnyStateDocument } from '../../common/state-document-formats.ts'
import type { Permission, StateDocument, TokenState } from '../../common/state-document.ts'
import { hashToken, mintToken } from '../../common/token.ts'
import { firstDocument } from '../../storage-node/state/alone.ts'
import { withDatabase } from '../../storage-node/state/catalog-changes.ts'
import { TestAuthority, writeIdentity, type Issuer, type TestIdentity } from './certificates.ts'
import type { Form } from './image-form.ts'
import { startStorageNode, type NodeProcess } from './storage-node.ts'

export const installationId = 'cccccccccccccccc'
export const host = '127.0.0.1'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

export async function send(dispatcher: Dispatcher, url: string, options: object = {}): Promise<Answer> {
  const { statusCode, headers, body } = await request(url, { dispatcher, ...options })
  return { status: statusCode, headers, text: await body.text() }
}

/** Speaks TLS with a test identity, or none, to servers of the test's authority. */
export const agentOf = (ca: string, who: TestIdentity | null): Agent =>
  new Agent({
    allowH2: false,
    connect: { ca, maxCachedSessions: 0, ...(who && { cert: who.cert, key: who.key }) },
  })

/** An organization with one storage node, a database `metrics`, and a token that reads and writes it. */
export interface Tenant {
  readonly id: string
  readonly token: string
  readonly process: NodeProcess
  readonly document: StateDocument
}

export function newToken(
  id: string,
  permissions: Permission[],
): { readonly text: string; readonly state: TokenState } {
  const text = mintToken(id)
  const hash = hashToken(text)
  return { text, state: { id: tokenId(hash), hash, permissions, expiresAt: null } }
}

/** Storage nodes as processes of their own, as the operator would set them up, on loopback. */
export class TestInstallation {
  readonly folder: string
  readonly authority: Issuer
  readonly operator: TestIdentity
  readonly gateway: TestIdentity
  readonly #nodes: NodeProcess[] = []

  private constructor(folder: string, authority: Issuer, operator: TestIdentity, gateway: TestIdentity) {
    this.folder = folder
    this.authority = authority
    this.operator = operator
    this.gateway = gateway
  }

  /** @param issuer who makes all certificates; an authority of the test's own if not given */
  static async create(issuer?: Issuer): Promise<TestInstallation> {
    const authority = issuer ?? (await TestAuthority.create())
    return new TestInstallation(
      await mkdtemp(join(tmpdir(), 'holdfast-installation-')),
      authority,
      await authority.issue(identity(installationId, 'operator')),
      await authority.issue(identity(installationId, 'gateway')),
    )
  }

  /** @param form how the node is started; out of this work tree if not given */
  async startTenant(id: string, form?: Form): Promise<Tenant> {
    await writeIdentity(this.#tlsDir(id), await this.authority.issue(identity(id, 'node')))
    await writeFile(this.#keyFile(id), randomBytes(32).toString('base64'))
    const process = await this.#startNode(id, form)
    const { text: token, state } = newToken(id, [{ database: 'metrics', access: ['read', 'write'] }])
    const document: StateDocument = {
      ...withDatabase(firstDocument(id), 'metrics', null, '1111111111111111')!,
      organization: { id, name: 'team', displayName: 'Team', directAccess: false },
      tokens: [state],
    }
    const tenant = { id, token, process, document }
    await this.#pushUntilTaken(tenant)
    return tenant
  }

  /** The same volume under another process, which nobody has pushed anything to yet. */
  async restart(tenant: Tenant): Promise<Tenant> {
    await tenant.process.stop()
    return { ...tenant, process: await this.#startNode(tenant.id) }
  }

  /** `PUT /admin/state`. @param replaces the digest that the node should have */
  push(
    tenant: Pick<Tenant, 'id' | 'process'>,
    document: AnyStateDocument,
    replaces: string,
  ): Promise<Answer> {
    return this.admin(tenant, '/admin/state', {
      method: 'PUT',
      headers: { 'holdfast-organization': tenant.id, 'if-match': `"${replaces}"` },
      body: JSON.stringify(stateBody(document)),
    })
  }

  /** A request of the operator to the admin port. */
  async admin(tenant: Pick<Tenant, 'process'>, path: string, options: object): Promise<Answer> {
    const agent = agentOf(this.operator.ca, this.operator)
    try {
      return await send(agent, `https://${host}:${tenant.process.adminPort}${path}`, options)
    } finally {
      await agent.close()
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()))
    await rm(this.folder, { recursive: true, force: true })
  }

  readonly #tlsDir = (id: string): string => join(this.folder, id, 'tls')
  readonly #keyFile = (id: string): string => join(this.folder, id, 'data-key')

  async #startNode(id: string, form?: Form): Promise<NodeProcess> {
    const environment = {
      HOLDFAST_ORGANIZATION_ID: id,
      HOLDFAST_INSTALLATION_ID: installationId,
      HOLDFAST_DATA_DIR: join(this.folder, id, 'data'),
      HOLDFAST_TLS_DIR: this.#tlsDir(id),
      HOLDFAST_DATA_KEY_FILE: this.#keyFile(id),
      HOLDFAST_LISTEN: `${host}:0`,
      HOLDFAST_ADMIN_LISTEN: `${host}:0`,
    }
    const process = await startStorageNode([], { ...environment, ...form?.environment }, form?.command)
    this.#nodes.push(process)
    return process
  }

  /** The engine opens after the listeners: until then a push is answered 503. */
  async #pushUntilTaken(tenant: Tenant): Promise<void> {
    for (let attempt = 0; attempt < 3_000; attempt++) {
      const { status, text } = await this.push(tenant, tenant.document, '')
      if (status === 200) return
      if (status !== 503) throw new Error(`push: ${status} ${text}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    throw new Error('the node did not take a document in time')
  }
}
