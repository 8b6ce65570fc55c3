import { createSecureContext, type SecureContext } from 'node:tls'
import { Client, type Dispatcher } from 'undici'
import * as z from 'zod'
import {
  adminPaths,
  adminPort,
  organizationHeader,
  tokenUsesLimit,
  type AdminError,
  type DataKeyState,
  type NodeState,
  type TokenUses,
} from '../../common/admin-api.ts'
import { attemptLimits, outcomesSchema, type Attempt, type Outcomes } from '../../common/attempts.ts'
import type { Clock } from '../../common/clock.ts'
import { AppError, messageOf } from '../../common/errors.ts'
import { isId } from '../../common/ids.ts'
import { stateBody, type AnyStateDocument } from '../../common/state-document-formats.ts'
import { canonicalJson } from '../../common/state-document.ts'
import { reachMs, tlsConnector } from '../../common/tls-connector.ts'
import { tlsPolicy } from '../../common/tls.ts'
import { identityError, type ClientIdentity } from './peer.ts'

/** One storage node: a pod that runs, at the address that its status shows. */
export interface NodeAddress {
  readonly organizationId: string
  /** A pod that is made anew has another uid, so nothing learnt of the old one is held for the new one. */
  readonly podUid: string
  readonly host: string
}

export type PushOutcome =
  /** The document is in force. */
  | { readonly outcome: 'accepted'; readonly state: NodeState }
  /** The node's document is another than the one that was to be replaced: look again. */
  | { readonly outcome: 'changed'; readonly state: NodeState }

/** What the reconciler needs of storage nodes. All methods throw AppError. */
export interface Nodes {
  getState(node: NodeAddress, signal?: AbortSignal): Promise<NodeState>
  /** @param replaces the digest that the node reported; "" if it had no document */
  pushState(
    node: NodeAddress,
    document: AnyStateDocument,
    replaces: string,
    signal?: AbortSignal,
  ): Promise<PushOutcome>
  /** Drops a detached database's data. @throws AppError conflict, while the node's document still holds it */
  deleteDatabase(node: NodeAddress, databaseId: string, signal?: AbortSignal): Promise<void>
  /** Which data key is in force, and which ones are still needed. */
  getDataKey(node: NodeAddress, signal?: AbortSignal): Promise<DataKeyState>
  /**
   * The node reads its key file and puts the first key in it in force. It goes on by itself where that takes longer
   * than is waited here. @throws AppError conflict, while its file lacks a key that is still needed
   */
  useDataKey(node: NodeAddress, signal?: AbortSignal): Promise<DataKeyState>
  /** When token strings were last let in; none of a node whose version does not know. */
  tokenUses(node: NodeAddress, signal?: AbortSignal): Promise<TokenUses>
  /** The node tries to reach addresses. @throws AppError unsupported, if its version cannot */
  attempts(node: NodeAddress, attempts: readonly Attempt[], signal?: AbortSignal): Promise<Outcomes>
}

const requestTimeoutMs = 3_000
/** Dropping files takes longer than answering. */
const deleteTimeoutMs = 10_000
/** A revocation that comes meanwhile must be in force within 2 s. */
const asideTimeoutMs = 1_000
/** 10,000 database ids take 190 kB. */
const bodyLimitBytes = 1024 * 1024
/** Each holds 100 KiB. Eight passes and sixteen looks at closed paths run at a time, and seldom is one node asked again. */
const connectionsLimit = 32
const idleLimitMs = 60_000

const shortText = z.string().transform((text) => text.slice(0, 500))
const fileDamageSchema = z.object({ file: shortText, offsetBytes: z.number().nullable(), what: shortText })
const nodeTroubleSchema = z.object({
  work: z.enum(['flush', 'compaction']),
  failures: z.int().min(1),
  since: z.iso.datetime(),
  message: shortText,
  refusesWrites: z.boolean(),
})

const nodeStateSchema = z.object({
  organizationId: z.string(),
  digest: z.string().regex(/^([0-9a-f]{64})?$/),
  formatVersions: z.array(z.int()).min(1).max(100),
  version: z.string().max(100),
  databasesWithData: z.array(z.string().refine(isId)).max(100_000),
  damage: z.array(fileDamageSchema).max(1_000).default([]),
  troubles: z.array(nodeTroubleSchema).max(10).default([]),
  idleMs: z.int().min(0).optional(),
})

const dataKeyStateSchema = z.object({
  keyId: z.string().refine(isId),
  olderKeyIds: z.array(z.string().refine(isId)).max(100),
})

const tokenUsesSchema = z.object({
  uses: z.array(z.object({ id: z.string().refine(isId), lastUsedAt: z.iso.datetime() })).max(tokenUsesLimit),
})

const adminErrorSchema = z.object({ code: z.string().max(200), message: z.string().max(2_000) })

interface Connection {
  readonly client: Client
  readonly identity: ClientIdentity
  usedAtMs: number
}

interface Answer {
  readonly status: number
  readonly text: string
}

/**
 * Speaks to the admin ports of storage nodes by pod address: presents the operator's identity and demands of the
 * peer a certificate of the installation's authority that carries the organization's node identity and no other.
 * Keeps at most one connection per pod, and few pods at a time.
 */
export class NodeClient implements Nodes {
  readonly #identity: () => ClientIdentity
  readonly #clock: Clock
  readonly #port: number
  readonly #fence: () => void
  /** By pod uid; the one that was not used for longest comes first. */
  readonly #connections = new Map<string, Connection>()
  /** Of the newest identity: to parse its key and certificates costs as much as a handshake. */
  #own: { readonly identity: ClientIdentity; readonly context: SecureContext } | null = null

  constructor(options: {
    readonly identity: () => ClientIdentity
    readonly clock: Clock
    readonly port?: number
    /**
     * Asked before each request that changes something: throws when this process may write no longer. What it has read
     * before that is not written either, since a document replaces exactly the one that the node reported.
     */
    readonly fence?: () => void
  }) {
    this.#identity = options.identity
    this.#clock = options.clock
    this.#port = options.port ?? adminPort
    this.#fence = options.fence ?? (() => undefined)
  }

  async getState(node: NodeAddress, signal?: AbortSignal): Promise<NodeState> {
    const answer = await this.#request(
      node,
      { method: 'GET', path: adminPaths.state },
      requestTimeoutMs,
      signal,
    )
    if (answer.status !== 200) throw unexpected(node, 'GET', adminPaths.state, answer)
    return stateOf(node, answer)
  }

  async pushState(
    node: NodeAddress,
    document: AnyStateDocument,
    replaces: string,
    signal?: AbortSignal,
  ): Promise<PushOutcome> {
    const request = {
      method: 'PUT',
      path: adminPaths.state,
      headers: { 'if-match': `"${replaces}"`, 'content-type': 'application/json' },
      body: canonicalJson(stateBody(document)),
    } as const
    const answer = await this.#request(node, request, requestTimeoutMs, signal)
    if (answer.status === 200) return { outcome: 'accepted', state: stateOf(node, answer) }
    if (answer.status === 412) return { outcome: 'changed', state: stateOf(node, answer) }
    if (answer.status === 422) {
      const { code, message } = adminErrorOf(answer)
      throw new AppError('invalid', 'ERR_NODE_REFUSED', `node refused the state document: ${message}`, {
        details: { podUid: node.podUid, code },
      })
    }
    throw unexpected(node, 'PUT', adminPaths.state, answer)
  }

  async deleteDatabase(node: NodeAddress, databaseId: string, signal?: AbortSignal): Promise<void> {
    if (!isId(databaseId)) throw new TypeError('databaseId: 16 lower-case hex digits expected')
    const path = adminPaths.databases + databaseId
    const answer = await this.#request(node, { method: 'DELETE', path }, deleteTimeoutMs, signal)
    if (answer.status === 204) return
    if (answer.status === 409) {
      throw new AppError('conflict', 'ERR_NODE_DATABASE_ATTACHED', 'node still serves the database', {
        details: { podUid: node.podUid, databaseId },
      })
    }
    throw unexpected(node, 'DELETE', path, answer)
  }

  getDataKey(node: NodeAddress, signal?: AbortSignal): Promise<DataKeyState> {
    return this.#dataKey(node, 'GET', signal)
  }

  useDataKey(node: NodeAddress, signal?: AbortSignal): Promise<DataKeyState> {
    return this.#dataKey(node, 'POST', signal)
  }

  async #dataKey(node: NodeAddress, method: 'GET' | 'POST', signal?: AbortSignal): Promise<DataKeyState> {
    const path = adminPaths.dataKey
    const answer = await this.#request(node, { method, path }, asideTimeoutMs, signal)
    const parsed = dataKeyStateSchema.safeParse(jsonOf(answer))
    if (answer.status === 200 && parsed.success) return parsed.data
    if (answer.status === 409) {
      throw new AppError('conflict', 'ERR_NODE_DATA_KEY', adminErrorOf(answer).message, {
        details: { podUid: node.podUid },
      })
    }
    throw unexpected(node, method, path, answer)
  }

  async tokenUses(node: NodeAddress, signal?: AbortSignal): Promise<TokenUses> {
    const path = adminPaths.tokenUses
    const answer = await this.#request(node, { method: 'GET', path }, asideTimeoutMs, signal)
    if (answer.status === 404) return { uses: [] }
    const parsed = tokenUsesSchema.safeParse(jsonOf(answer))
    if (answer.status === 200 && parsed.success) return parsed.data
    throw unexpected(node, 'GET', path, answer)
  }

  async attempts(node: NodeAddress, attempts: readonly Attempt[], signal?: AbortSignal): Promise<Outcomes> {
    const path = adminPaths.attempts
    const headers = { 'content-type': 'application/json' }
    const request = { method: 'POST', path, headers, body: JSON.stringify({ attempts }) } as const
    const timeoutMs = requestTimeoutMs + attemptLimits.timeoutMs
    // On a connection of its own: silence takes its time, and a revocation must not wait behind it.
    const apart = { ...node, podUid: `${node.podUid} attempts` }
    const answer = await this.#request(apart, request, timeoutMs, signal).finally(() =>
      this.#drop(apart.podUid),
    )
    const parsed = outcomesSchema.safeParse(jsonOf(answer))
    const isWhole = parsed.success && parsed.data.outcomes.length === attempts.length
    if (answer.status === 200 && isWhole) return parsed.data
    if (answer.status === 404) {
      throw new AppError('unsupported', 'ERR_NODE_VERSION', 'the node cannot try to reach addresses', {
        details: { podUid: node.podUid },
      })
    }
    throw unexpected(node, 'POST', path, answer)
  }

  /** Ends all connections, and the requests on them. */
  async close(): Promise<void> {
    const connections = [...this.#connections.values()]
    this.#connections.clear()
    await Promise.all(connections.map(({ client }) => client.destroy()))
  }

  /** Open connections, for the metrics. */
  get size(): number {
    return this.#connections.size
  }

  async #request(
    node: NodeAddress,
    request: Omit<Dispatcher.RequestOptions, 'signal'>,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<Answer> {
    if (request.method !== 'GET') this.#fence()
    const timeout = AbortSignal.timeout(timeoutMs)
    try {
      const response = await this.#connection(node).request({
        ...request,
        headers: {
          ...(request.headers as Record<string, string>),
          [organizationHeader]: node.organizationId,
        },
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      })
      return { status: response.statusCode, text: await boundedText(response.body) }
    } catch (error) {
      if (error instanceof AppError) throw error
      // A connection in an unknown state is not used again.
      this.#drop(node.podUid)
      throw new AppError('unavailable', 'ERR_NODE_UNREACHABLE', `node at ${node.host}: ${messageOf(error)}`, {
        cause: error,
        details: { podUid: node.podUid, organizationId: node.organizationId },
      })
    }
  }

  #connection(node: NodeAddress): Client {
    const nowMs = this.#clock.monotonicMs()
    const identity = this.#identity()
    const found = this.#connections.get(node.podUid)
    // Moving what is used to the end keeps the map in order of last use.
    this.#connections.delete(node.podUid)
    if (found && found.identity === identity) {
      found.usedAtMs = nowMs
      this.#connections.set(node.podUid, found)
      return found.client
    }
    if (found) void found.client.close()
    if (this.#own?.identity !== identity) this.#own = { identity, context: contextOf(identity) }
    const client = openClient(node, this.#own.context, this.#port)
    this.#connections.set(node.podUid, { client, identity, usedAtMs: nowMs })
    this.#closeUnused(nowMs)
    return client
  }

  #closeUnused(nowMs: number): void {
    for (const [podUid, connection] of this.#connections) {
      const idle = nowMs - connection.usedAtMs > idleLimitMs
      if (!idle && this.#connections.size <= connectionsLimit) return
      this.#connections.delete(podUid)
      // Gracefully: a request that is under way on it ends first.
      void connection.client.close()
    }
  }

  #drop(podUid: string): void {
    const connection = this.#connections.get(podUid)
    this.#connections.delete(podUid)
    if (connection) void connection.client.destroy()
  }
}

function contextOf({ authorityPem, certificatePem, privateKeyPem }: ClientIdentity): SecureContext {
  return createSecureContext({ ca: authorityPem, cert: certificatePem, key: privateKeyPem, ...tlsPolicy })
}

function openClient(node: NodeAddress, secureContext: SecureContext, port: number): Client {
  const host = node.host.includes(':') ? `[${node.host}]` : node.host
  return new Client(`https://${host}:${port}`, {
    pipelining: 1,
    headersTimeout: deleteTimeoutMs,
    bodyTimeout: requestTimeoutMs,
    keepAliveTimeout: idleLimitMs,
    keepAliveMaxTimeout: idleLimitMs,
    connect: tlsConnector(
      {
        secureContext,
        rejectUnauthorized: true,
        checkServerIdentity: (_host, certificate) => identityError(certificate, node.organizationId),
      },
      // The way to a pod that has just started is opened a moment after its address is known.
      { reachMs, tries: 2, connectMs: requestTimeoutMs },
    ),
  })
}

async function boundedText(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length
    if (sizeBytes > bodyLimitBytes) {
      body.destroy()
      throw new AppError(
        'too-large',
        'ERR_NODE_ANSWER',
        `node's answer is larger than ${bodyLimitBytes} bytes`,
      )
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function stateOf(node: NodeAddress, answer: Answer): NodeState {
  const parsed = nodeStateSchema.safeParse(jsonOf(answer))
  if (!parsed.success) throw unexpected(node, 'state', adminPaths.state, answer)
  if (parsed.data.organizationId !== node.organizationId) {
    throw new AppError('forbidden', 'ERR_NODE_IDENTITY', 'node speaks for another organization', {
      details: { podUid: node.podUid, organizationId: node.organizationId, said: parsed.data.organizationId },
    })
  }
  return parsed.data
}

function adminErrorOf(answer: Answer): AdminError {
  const parsed = adminErrorSchema.safeParse(jsonOf(answer))
  return parsed.success ? parsed.data : { code: 'unknown', message: 'no reason given' }
}

function jsonOf(answer: Answer): unknown {
  try {
    return JSON.parse(answer.text)
  } catch {
    return null
  }
}

function unexpected(node: NodeAddress, method: string, path: string, answer: Answer): AppError {
  return new AppError(
    'unavailable',
    'ERR_NODE_ANSWER',
    `node answered ${method} ${path} with ${answer.status}`,
    {
      details: { podUid: node.podUid, organizationId: node.organizationId, status: answer.status },
    },
  )
}
