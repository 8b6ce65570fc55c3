import { join } from 'node:path'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '../common/clock.ts'
import { AppError } from '../common/errors.ts'
import { HttpServer } from '../common/http-server.ts'
import { identity } from '../common/identity.ts'
import { Lifecycle, type Component } from '../common/lifecycle.ts'
import type { Logger } from '../common/log.ts'
import { carriesExactly, peerStanding, TlsDirectory } from '../common/tls.ts'
import type { NodeConfig } from './config.ts'
import { Keyring } from './crypto/keyring.ts'
import type { Disk } from './disk/disk.ts'
import { Engine } from './engine/engine.ts'
import { createAdminHandler } from './http/admin/server.ts'
import { BodyBudget, maxBodyBytes } from './http/body.ts'
import { QuerySlots, WriteRate } from './http/limits.ts'
import { createNodeMetrics } from './http/metrics.ts'
import type { NodeParts } from './http/parts.ts'
import { createClientHandler, type Standing } from './http/server.ts'
import { ensureOwnDocument, ownIdentity, readDataKey } from './identity.ts'
import { aloneCommands, clusterCommands } from './state/alone.ts'
import { sealedStateFile } from './state/state-file.ts'
import { StateStore } from './state/state-store.ts'

/** How long a node of a cluster waits for the operator before it serves the document that it kept. */
const pushWaitMs = 5_000
/** Kubernetes gives 60 s between SIGTERM and SIGKILL; what is left after this is the engine's. */
const drainMs = 25_000

export interface StorageNode {
  /** The port for clients, once started. */
  readonly port: number
  /** The admin port, or null for a node that runs alone. */
  readonly adminPort: number | null
  start(): Promise<void>
  stop(): Promise<void>
}

export interface NodeEnvironment {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Logger
  /** Ends the process: what is on disk can no longer be known. */
  readonly onFatal: (error: Error) => void
}

/**
 * All of a storage node, put together. Listeners come up before the engine, so that probes and the operator get an
 * answer while a long log is replayed; they go before it, so that what was accepted is flushed.
 */
export async function createStorageNode(
  config: NodeConfig,
  environment: NodeEnvironment,
): Promise<StorageNode> {
  const { disk, clock, log } = environment
  const own =
    config.mode === 'alone'
      ? await ownIdentity(disk, config.dataDir, config.dataKeyFile, log)
      : { organizationId: config.organizationId, dataKey: await readDataKey(disk, config.dataKeyFile) }
  const engineHolder = new EngineComponent(config, own, environment)
  const store = new StateStore({
    organizationId: own.organizationId,
    file: sealedStateFile(disk, new Keyring(own.organizationId, own.dataKey), config.dataDir),
    onChange: async (document) =>
      engineHolder.require().setDatabases(document.databases, { series: document.limits.series }),
    log,
  })
  const parts = createParts(config, own.organizationId, store, engineHolder, environment)
  const certificates =
    config.tlsDir === null
      ? null
      : new TlsDirectory({ directory: config.tlsDir, withAuthority: config.mode === 'cluster', clock, log })
  const clients = clientServer(config, parts, certificates)
  const admin = config.mode === 'cluster' ? adminServer(config, parts, certificates!) : null
  const state: Component = {
    name: 'state document',
    async start() {
      await store.settle(config.mode === 'cluster' ? pushWaitMs : 0, clock)
      if (config.mode === 'alone') {
        const tokenFile = join(config.dataDir, 'admin-token')
        await ensureOwnDocument(
          store,
          own.organizationId,
          config.authentication ? { disk, tokenFile, log } : null,
        )
      }
    },
    stop: async () => undefined,
  }
  const listeners = [...(certificates ? [certificates] : []), ...(admin ? [admin] : []), clients]
  const front = new Lifecycle(listeners, log)
  const back = new Lifecycle([engineHolder, state], log)
  return {
    get port() {
      return clients.port
    },
    get adminPort() {
      return admin?.port ?? null
    },
    async start() {
      await store.load()
      await front.start()
      try {
        await back.start()
      } catch (error) {
        await front.stop()
        throw error
      }
      log.info(
        { organizationId: own.organizationId, mode: config.mode, digest: store.digest },
        'storage node started',
      )
    },
    async stop() {
      await front.stop()
      await back.stop()
    },
  }
}

/** Opens the engine, which may take as long as its log is, and closes it with a flush. */
class EngineComponent implements Component {
  readonly name = 'engine'
  readonly #open: () => Promise<Engine>
  #engine: Engine | null = null

  constructor(
    config: NodeConfig,
    own: { readonly organizationId: string; readonly dataKey: Uint8Array },
    { disk, clock, log, onFatal }: NodeEnvironment,
  ) {
    this.#open = () =>
      Engine.open({
        disk,
        clock,
        log,
        organizationId: own.organizationId,
        dataKey: own.dataKey,
        dataFolder: join(config.dataDir, 'engine'),
        queryProcess: { program: config.queryProcess, extensionPath: config.duckdbExtension },
        memoryLimitBytes: config.memoryLimitBytes,
        onFatal,
      })
  }

  get current(): Engine | null {
    return this.#engine
  }

  /** @throws AppError unavailable */
  require(): Engine {
    if (!this.#engine) throw new AppError('unavailable', 'ERR_NODE_STARTING', 'the engine is not open')
    return this.#engine
  }

  async start(): Promise<void> {
    this.#engine = await this.#open()
  }

  async stop(): Promise<void> {
    const engine = this.#engine
    this.#engine = null
    await engine?.close()
  }
}

function createParts(
  config: NodeConfig,
  organizationId: string,
  store: StateStore,
  engine: EngineComponent,
  { clock, log }: NodeEnvironment,
): NodeParts {
  // Two bodies of the largest size fit at least: one that comes in and one that is decompressed.
  const bodies = new BodyBudget(Math.max(4 * maxBodyBytes, Math.floor(config.memoryLimitBytes / 8)))
  const slots = new QuerySlots()
  const metrics = createNodeMetrics({
    engineStats: () => engine.current?.stats() ?? null,
    servesStoredState: () => store.servesKept,
    bodyBytesInFlight: () => bodies.usedBytes,
    runningQueries: () => slots.running,
  })
  return {
    organizationId,
    authentication: config.mode === 'cluster' || config.authentication,
    store,
    engine: () => engine.current,
    commands:
      config.mode === 'alone'
        ? aloneCommands(store, { dropDatabase: (id) => engine.require().deleteDatabase(id) })
        : clusterCommands(store),
    queryLimits: { maxSeries: 1_000_000, maxPoints: 500_000_000, maxBuckets: 1_000_000, maxRows: 10_000_000 },
    bodies,
    slots,
    writeRate: new WriteRate(clock),
    metrics,
    clock,
    log,
    startedMs: clock.nowMs(),
  }
}

function clientServer(config: NodeConfig, parts: NodeParts, certificates: TlsDirectory | null): HttpServer {
  const standings = new WeakMap<Socket, Standing>()
  const expected = config.mode === 'cluster' ? identity(config.installationId, 'gateway') : null
  return new HttpServer({
    name: 'clients',
    listen: config.listen,
    handler: createClientHandler(parts, (socket) => standings.get(socket) ?? 'local'),
    clock: parts.clock,
    log: parts.log,
    drainMs,
    ...(certificates && {
      tls: {
        directory: certificates,
        clientCertificate: expected === null ? ('none' as const) : ('optional' as const),
        accept: (socket: TLSSocket) => {
          const standing = expected === null ? 'anonymous' : peerStanding(socket, expected)
          standings.set(socket, standing)
          return standing !== 'refused'
        },
      },
    }),
  })
}

function adminServer(
  config: Extract<NodeConfig, { mode: 'cluster' }>,
  parts: NodeParts,
  certificates: TlsDirectory,
): HttpServer {
  const expected = identity(config.installationId, 'operator')
  return new HttpServer({
    name: 'admin',
    listen: config.adminListen,
    handler: createAdminHandler(parts),
    clock: parts.clock,
    log: parts.log,
    maxConnections: 64,
    drainMs: 5_000,
    tls: {
      directory: certificates,
      clientCertificate: 'required',
      accept: (socket) => socket.authorized && carriesExactly(socket.getPeerCertificate(), expected),
    },
  })
}
