import type { checkServerIdentity, PeerCertificate } from 'node:tls'
import { Pool } from 'undici'
import type { Clock } from '../common/clock.ts'
import { AppError } from '../common/errors.ts'
import { identity } from '../common/identity.ts'
import { runtimeNamespace } from '../common/ids.ts'
import { reachMs, tlsConnector } from '../common/tls-connector.ts'
import { carriesExactly, tlsOptions, type TlsMaterial } from '../common/tls.ts'
import type { Target, TargetOf } from './target.ts'

export interface PoolLimits {
  /** Organizations with open connections; the one that was idle longest makes room. */
  readonly maxPools: number
  readonly connectionsPerOrganization: number
  /** Requests under way to one organization, waiting for a connection or running. */
  readonly requestsPerOrganization: number
  /** A pool without requests for this long is closed. */
  readonly idleMs: number
  /** For the address of an organization to accept a connection. */
  readonly reachTimeoutMs: number
  /** For its name to be found, and for the handshake. */
  readonly connectTimeoutMs: number
  /** Longest silence of a node, before its answer and within it. */
  readonly responseTimeoutMs: number
}

export const defaultPoolLimits: PoolLimits = {
  maxPools: 1_000,
  connectionsPerOrganization: 64,
  requestsPerOrganization: 512,
  idleMs: 120_000,
  reachTimeoutMs: reachMs,
  connectTimeoutMs: 5_000,
  responseTimeoutMs: 600_000,
}

export const wrongPeerCode = 'ERR_GATEWAY_PEER_IDENTITY'

interface Entry {
  readonly pool: Pool
  running: number
  usedMs: number
}

export interface Lease {
  readonly pool: Pool
  release(): void
}

/** Connections to the storage nodes: a bounded number of pools, one an organization, shared with nobody. */
export class OrganizationPools {
  readonly #targetOf: TargetOf
  readonly #limits: PoolLimits
  readonly #clock: Clock
  readonly #entries = new Map<string, Entry>()
  #material: TlsMaterial | null

  /** @param material null calls nodes without TLS, for nodes that listen on loopback only */
  constructor(settings: {
    readonly targetOf: TargetOf
    readonly material: TlsMaterial | null
    readonly limits: PoolLimits
    readonly clock: Clock
  }) {
    this.#targetOf = settings.targetOf
    this.#material = settings.material
    this.#limits = settings.limits
    this.#clock = settings.clock
  }

  get size(): number {
    return this.#entries.size
  }

  /**
   * The pool of an organization for one request; `release` when the answer has passed.
   * @throws AppError unavailable when the organization has too many requests under way, or all pools are in use
   */
  lease(organizationId: string): Lease {
    const entry = this.#entries.get(organizationId) ?? this.#open(organizationId)
    if (entry.running >= this.#limits.requestsPerOrganization) {
      throw new AppError('unavailable', 'ERR_GATEWAY_BUSY', 'too many requests under way')
    }
    entry.running += 1
    let released = false
    const release = () => {
      if (released) return
      released = true
      entry.running -= 1
      entry.usedMs = this.#clock.monotonicMs()
    }
    return { pool: entry.pool, release }
  }

  /** Forgets an organization that turned out not to exist. */
  forget(organizationId: string): void {
    const entry = this.#entries.get(organizationId)
    if (entry) this.#close(organizationId, entry)
  }

  /** Closes pools that nobody uses. */
  sweep(): void {
    const idleSinceMs = this.#clock.monotonicMs() - this.#limits.idleMs
    for (const [id, entry] of this.#entries) {
      if (entry.running === 0 && entry.usedMs <= idleSinceMs) this.#close(id, entry)
    }
  }

  /** New requests use a new identity; those under way end on the connections that they have. */
  renew(material: TlsMaterial): void {
    this.#material = material
    for (const [id, entry] of this.#entries) this.#close(id, entry)
  }

  async closeAll(): Promise<void> {
    const pools = [...this.#entries.values()].map(({ pool }) => pool)
    this.#entries.clear()
    await Promise.all(pools.map((pool) => pool.destroy()))
  }

  #open(organizationId: string): Entry {
    if (this.#entries.size >= this.#limits.maxPools) this.#makeRoom()
    const pool = poolTo(organizationId, this.#targetOf(organizationId), this.#material, this.#limits)
    const entry = { pool, running: 0, usedMs: this.#clock.monotonicMs() }
    this.#entries.set(organizationId, entry)
    return entry
  }

  #makeRoom(): void {
    const idle = [...this.#entries].filter(([, entry]) => entry.running === 0)
    const [oldest] = idle.sort(([, a], [, b]) => a.usedMs - b.usedMs)
    if (!oldest) throw new AppError('unavailable', 'ERR_GATEWAY_BUSY', 'too many organizations at once')
    this.#close(...oldest)
  }

  #close(id: string, entry: Entry): void {
    this.#entries.delete(id)
    // Requests under way keep the pool alive to their end; nothing is left to be told of a failure to say goodbye.
    entry.pool.close().catch(() => undefined)
  }
}

function poolTo(
  organizationId: string,
  target: Target,
  material: TlsMaterial | null,
  limits: PoolLimits,
): Pool {
  const expected = identity(organizationId, 'node')
  const checkPeer: typeof checkServerIdentity = (_host, certificate: PeerCertificate) =>
    carriesExactly(certificate, expected)
      ? undefined
      : Object.assign(new Error(`the peer is not ${expected}`), { code: wrongPeerCode })
  return new Pool(`${material ? 'https' : 'http'}://${target.host}:${target.port}`, {
    allowH2: false,
    connections: limits.connectionsPerOrganization,
    pipelining: 1,
    keepAliveTimeout: 30_000,
    headersTimeout: limits.responseTimeoutMs,
    bodyTimeout: limits.responseTimeoutMs,
    connect: material
      ? tlsConnector(
          {
            ...tlsOptions(material),
            servername: `storage-node.${runtimeNamespace(organizationId)}.svc`,
            checkServerIdentity: checkPeer,
          },
          { reachMs: limits.reachTimeoutMs, tries: 1, connectMs: limits.connectTimeoutMs },
          target.lookup,
        )
      : { timeout: limits.connectTimeoutMs, ...(target.lookup && { lookup: target.lookup }) },
  })
}
