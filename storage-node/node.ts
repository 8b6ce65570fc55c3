import { join } from 'node:path'
import { createAudit, silentAudit, type Audit } from '../common/audit.ts'
import { Attempts } from '../common/attempts.ts'
import { watchEventLoop } from '../common/event-loop-delay.ts'
import { Lifecycle, type Component } from '../common/lifecycle.ts'
import { certificateMetrics } from '../common/certificate-metrics.ts'
import { TlsDirectory } from '../common/tls-directory.ts'
import { reach } from '../common/reach.ts'
import { isSmallPod } from '../common/small-pod.ts'
import type { StateDocument } from '../common/state-document.ts'
import { ownAuditKey } from './audit-key-file.ts'
import type { NodeConfig } from './config.ts'
import { Keyring } from './crypto/keyring.ts'
import { pressedCollection } from '../common/pressed-collection.ts'
import { DataKeyChange } from './data-key-change.ts'
import { UsedTokens } from './auth/token-uses.ts'
import { readDataKeys } from './data-key-file.ts'
import { requireNone } from './disk/damage.ts'
import { EngineComponent } from './engine-component.ts'
import { seriesThatFit } from './engine/shares.ts'
import type { NodeEnvironment } from './environment.ts'
import { Activity } from './http/activity.ts'
import { BodyBudget, maxBodyBytes } from './http/body.ts'
import { LineParser } from './line-protocol/line-parser.ts'
import { QuerySlots, RequestRate, WriteRate } from './http/limits.ts'
import { createNodeMetrics } from './http/metrics.ts'
import type { NodeParts } from './http/parts.ts'
import { Rounds } from './http/rounds.ts'
import { Turns } from './http/turns.ts'
import { HeldBytes } from './query/held-bytes.ts'
import { serveOwnDocument, ownIdentity } from './identity.ts'
import { adminServer, clientServer, metricsServer } from './listeners.ts'
import { aloneCommands, clusterCommands, deleteForgotten, type DataDisposal } from './state/alone.ts'
import { sealedStateFile } from './state/state-file.ts'
import { StateStore } from './state/state-store.ts'

/** How long a node of a cluster waits for the operator before it serves the document that it kept. */
const pushWaitMs = 5_000
/** Of the memory limit: a series key that is remembered between bodies takes half a kilobyte to one of it. */
const bytesPerKnownSeries = 8_192
/** Queries that read points at one time: with more of them the query process has no memory left for flushes. */
const maxReadingQueries = 3
const bytesPerReadingQuery = 256 * 1_048_576
/** The operator tries closed paths every few minutes: more is nobody's need. */
const attemptBounds = { atOnce: 1, pauseMs: 500 }

export interface StorageNode {
  /** The port for clients, once started. */
  readonly port: number
  /** The admin port, or null for a node that runs alone. */
  readonly adminPort: number | null
  start(): Promise<void>
  stop(): Promise<void>
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
      : { organizationId: config.organizationId, ...(await readDataKeys(disk, config.dataKeyFile)) }
  const engineHolder = new EngineComponent(config, own, environment)
  const keyring = new Keyring(own.organizationId, own.dataKey, own.olderDataKeys)
  const store = new StateStore({
    organizationId: own.organizationId,
    file: sealedStateFile(disk, keyring, config.dataDir),
    onChange: async (document) =>
      engineHolder.require().setDatabases(document.databases, { series: mostSeries(document, config) }),
    log,
  })
  const dataKeys = new DataKeyChange({
    readKeys: () => readDataKeys(disk, config.dataKeyFile),
    keyring,
    store,
    engine: () => engineHolder.require(),
    log,
  })
  const ownPort = () => admin?.port ?? clients.port
  const parts: NodeParts = {
    ...createParts(config, own.organizationId, store, engineHolder, dataKeys, environment, ownPort),
    audit: await auditOf(config, own.organizationId, environment),
  }
  const certificates =
    config.tlsDir === null
      ? null
      : new TlsDirectory({ directory: config.tlsDir, withAuthority: config.mode === 'cluster', clock, log })
  if (certificates) certificateMetrics(parts.metrics.registry, { identity: certificates })
  const clients = clientServer(config, parts, certificates)
  const admin = config.mode === 'cluster' ? adminServer(config, parts, certificates!) : null
  const metrics = config.mode === 'alone' ? metricsServer(config, parts) : null
  const state: Component = {
    name: 'state document',
    async start() {
      if (config.mode === 'cluster') await store.settle(pushWaitMs, clock)
      if (config.mode === 'alone') {
        // Before anything is served: nobody can have made a database that the kept document does not know.
        await deleteForgotten(store.kept, dataOf(engineHolder), log)
        const tokenFile = join(config.dataDir, 'admin-token')
        await serveOwnDocument(
          store,
          own.organizationId,
          config.authentication ? { disk, tokenFile, log } : null,
        )
      }
      await dataKeys.finish()
    },
    stop: async () => undefined,
  }
  const listeners = [certificates, admin, metrics, clients].filter((each) => each !== null)
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

async function auditOf(
  config: NodeConfig,
  organizationId: string,
  { disk, clock, log, auditOutput: output }: NodeEnvironment,
): Promise<Audit> {
  if (config.mode === 'cluster' || config.auditKeyFile === null) return silentAudit
  const publicKey = await ownAuditKey(disk, config.auditKeyFile, log)
  return createAudit({ program: 'storage-node', organizationId, publicKey, clock, output, log })
}

function mostSeries({ limits }: StateDocument, { memoryLimitBytes }: NodeConfig): number {
  return Math.min(limits.series, seriesThatFit(memoryLimitBytes) ?? Infinity)
}

function readingQueries({ memoryLimitBytes }: NodeConfig): number {
  return Math.min(maxReadingQueries, Math.max(1, Math.floor(memoryLimitBytes / bytesPerReadingQuery)))
}

/** One body of the largest size fits at least, what is left of it as it came beside what is decompressed. */
function bodyBytes({ memoryLimitBytes }: NodeConfig): number {
  // Two bodies of the largest size would leave too little for all else.
  if (isSmallPod(memoryLimitBytes)) return Math.ceil(1.25 * maxBodyBytes)
  return Math.max(2 * maxBodyBytes, Math.floor(memoryLimitBytes / 16))
}

function dataOf(engine: EngineComponent): DataDisposal {
  return {
    databasesWithData: () => engine.require().databasesWithData(),
    requireWritable: () => requireNone(engine.require().damage),
    dropDatabase: (id) => engine.require().deleteDatabase(id),
  }
}

function createParts(
  config: NodeConfig,
  organizationId: string,
  store: StateStore,
  engine: EngineComponent,
  dataKeys: DataKeyChange,
  { clock, log }: NodeEnvironment,
  ownPort: () => number,
): Omit<NodeParts, 'audit'> {
  const bodies = new BodyBudget(bodyBytes(config))
  const slots = new QuerySlots(readingQueries(config))
  const activity = new Activity(clock)
  const metrics = createNodeMetrics({
    engineStats: () => engine.current?.stats() ?? null,
    servesStoredState: () => store.servesKept,
    damagedFiles: () => engine.current?.damage.length ?? 0,
    bodyBytesInFlight: () => bodies.usedBytes,
    runningQueries: () => slots.running,
    waitingQueries: () => slots.waiting,
    idleMs: () => activity.idleMs,
    eventLoopDelay: watchEventLoop(),
  })
  return {
    organizationId,
    authentication: config.mode === 'cluster' || config.authentication,
    usedTokens: new UsedTokens(),
    store,
    engine: () => engine.current,
    dataKeys,
    commands: config.mode === 'alone' ? aloneCommands(store, dataOf(engine)) : clusterCommands(store),
    queryLimits: {
      maxSeries: 1_000_000,
      maxPoints: 500_000_000,
      maxBuckets: 1_000_000,
      maxColumns: 10_000,
      maxCells: 100_000_000,
      maxReads: 1_000,
      maxReadsOfColumn: 50,
    },
    bodies,
    lines: new LineParser(Math.floor(config.memoryLimitBytes / bytesPerKnownSeries)),
    slots,
    held: new HeldBytes(Math.floor(config.memoryLimitBytes / 8)),
    turns: new Turns(
      clock,
      isSmallPod(config.memoryLimitBytes)
        ? pressedCollection(config.memoryLimitBytes, clock).look
        : undefined,
    ),
    rounds: new Rounds(),
    writeRate: new WriteRate(clock),
    requestRate: new RequestRate(clock),
    activity,
    attempts: new Attempts({ reach, ownPort, bounds: attemptBounds, clock }),
    metrics,
    clock,
    log,
    startedMs: clock.nowMs(),
  }
}
