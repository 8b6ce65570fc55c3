import { join } from 'node:path'
import { createAudit, silentAudit, type Audit } from '../common/audit.ts'
import { Lifecycle, type Component } from '../common/lifecycle.ts'
import { certificateMetrics } from '../common/certificate-metrics.ts'
import { TlsDirectory } from '../common/tls-directory.ts'
import type { StateDocument } from '../common/state-document.ts'
import { ownAuditKey } from './audit-key-file.ts'
import type { NodeConfig } from './config.ts'
import { createParts, dataOf } from './create-parts.ts'
import { Keyring } from './crypto/keyring.ts'
import { DataKeyChange } from './data-key-change.ts'
import { holdsNoKey, readDataKeys } from './data-key-file.ts'
import type { Disk } from './disk/disk.ts'
import { EngineComponent } from './engine-component.ts'
import { seriesThatFit } from './engine/shares.ts'
import type { NodeEnvironment } from './environment.ts'
import type { DataKeyCalls } from './http/parts.ts'
import { serveOwnDocument, ownIdentity } from './identity.ts'
import { adminServer, clientServer, metricsServer } from './listeners.ts'
import { lockFile, type LockFile, type LockMark } from './lock-file.ts'
import { lockedNode } from './locked.ts'
import { deleteForgotten } from './state/alone.ts'
import { sealedStateFile } from './state/state-file.ts'
import { StateStore } from './state/state-store.ts'

/** How long a node of a cluster waits for the operator before it serves the document that it kept. */
const pushWaitMs = 5_000

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
  const lock = lockFile(disk, config.dataDir)
  const mark = await markOf(lock, disk, config)
  if (config.mode === 'cluster' && mark?.state === 'locked')
    return lockedNode(config, environment, lock, mark.keyIds)
  // A token may have been revoked while it was locked: what it kept then is served to nobody.
  let awaitsPush = mark !== null
  const own =
    config.mode === 'alone'
      ? await ownIdentity(disk, config.dataDir, config.dataKeyFile, log)
      : { organizationId: config.organizationId, ...(await readDataKeys(disk, config.dataKeyFile)) }
  const engineHolder = new EngineComponent(config, own, environment)
  const keyring = new Keyring(own.organizationId, own.dataKey, own.olderDataKeys)
  const store = new StateStore({
    organizationId: own.organizationId,
    file: sealedStateFile(disk, keyring, config.dataDir),
    async onChange(document) {
      engineHolder.require().setDatabases(document.databases, { series: mostSeries(document, config) })
      if (awaitsPush) await lock.remove()
      awaitsPush = false
    },
    log,
  })
  const change = new DataKeyChange({
    readKeys: () => readDataKeys(disk, config.dataKeyFile),
    keyring,
    store,
    engine: () => engineHolder.require(),
    log,
  })
  const dataKeys: DataKeyCalls = {
    state: () => change.state(),
    run: () => change.run(),
    async lock() {
      awaitsPush = false
      // Which older ones are needed is known when the engine is open.
      const { keyId, olderKeyIds } = engineHolder.current
        ? change.state()
        : { keyId: keyring.keyId, olderKeyIds: [] }
      await lock.replace({ state: 'locked', keyIds: [keyId, ...olderKeyIds] })
    },
  }
  const parts = createParts({
    config,
    organizationId: own.organizationId,
    store,
    engine: engineHolder,
    dataKeys,
    environment,
    ownPort: () => admin?.port ?? clients.port,
    lockedFor: null,
    audit: await auditOf(config, own.organizationId, environment),
  })
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
      if (config.mode === 'cluster' && !awaitsPush) await store.settle(pushWaitMs, clock)
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
      await change.finish()
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

/** Without a word from the operator too, a node that gets no key any more is locked, and stays so. */
async function markOf(
  lock: LockFile,
  disk: Disk,
  { mode, dataKeyFile }: NodeConfig,
): Promise<LockMark | null> {
  if (mode === 'alone') return null
  const mark = await lock.read()
  if (mark?.state === 'locked' || !(await holdsNoKey(disk, dataKeyFile))) return mark
  const locked = { state: 'locked' as const, keyIds: [] }
  await lock.replace(locked)
  return locked
}

function mostSeries({ limits }: StateDocument, { memoryLimitBytes }: NodeConfig): number {
  return Math.min(limits.series, seriesThatFit(memoryLimitBytes) ?? Infinity)
}
