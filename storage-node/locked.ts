import { silentAudit } from '../common/audit.ts'
import { certificateMetrics } from '../common/certificate-metrics.ts'
import { dataKeyId } from '../common/data-key.ts'
import { Lifecycle } from '../common/lifecycle.ts'
import { TlsDirectory } from '../common/tls-directory.ts'
import type { ClusterConfig } from './config.ts'
import { createParts } from './create-parts.ts'
import { stillNeeded } from './data-key-change.ts'
import { readDataKeys } from './data-key-file.ts'
import type { NodeEnvironment } from './environment.ts'
import { dataKeyGone, type DataKeyCalls } from './http/parts.ts'
import { adminServer, clientServer } from './listeners.ts'
import type { LockFile } from './lock-file.ts'
import type { StorageNode } from './node.ts'
import { StateStore, type StateFile } from './state/state-store.ts'

/** What is kept is sealed by a key that nobody may read. */
const unreadable: StateFile = {
  read: () => Promise.reject(dataKeyGone()),
  replace: () => Promise.reject(dataKeyGone()),
}

/**
 * A storage node whose data key was taken away. It reads no key and opens nothing: the process that had it in memory has
 * ended, and this one answers 503 until the operator says that the key is back. Then it ends too, and the next one opens
 * what is kept.
 * @param neededKeyIds of the keys without which the volume does not open; none where that is not known
 */
export function lockedNode(
  config: ClusterConfig,
  environment: NodeEnvironment,
  lock: LockFile,
  neededKeyIds: readonly string[],
): StorageNode {
  const { disk, clock, log } = environment
  const { organizationId } = config
  const dataKeys: DataKeyCalls = {
    state() {
      throw dataKeyGone()
    },
    async run() {
      const { dataKey, olderDataKeys } = await readDataKeys(disk, config.dataKeyFile)
      const there = [dataKey, ...olderDataKeys].map(dataKeyId)
      const missing = neededKeyIds.find((id) => !there.includes(id))
      if (missing !== undefined) throw stillNeeded(missing)
      await lock.replace({ state: 'await-push' })
      log.info({ keyId: there[0] }, 'the data key is back: starting again')
      return { keyId: there[0]!, olderKeyIds: [] }
    },
    // It is as it should be.
    lock: async () => undefined,
  }
  const store = new StateStore({
    organizationId,
    file: unreadable,
    onChange: () => Promise.reject(dataKeyGone()),
    log,
  })
  const engine = {
    current: null,
    require: () => {
      throw dataKeyGone()
    },
  }
  const parts = createParts({
    config,
    organizationId,
    store,
    engine,
    dataKeys,
    environment,
    ownPort: () => admin.port,
    lockedFor: neededKeyIds,
    audit: silentAudit,
  })
  const certificates = new TlsDirectory({ directory: config.tlsDir, withAuthority: true, clock, log })
  certificateMetrics(parts.metrics.registry, { identity: certificates })
  const clients = clientServer(config, parts, certificates)
  const admin = adminServer(config, parts, certificates)
  const front = new Lifecycle([certificates, admin, clients], log)
  return {
    get port() {
      return clients.port
    },
    get adminPort() {
      return admin.port
    },
    async start() {
      await front.start()
      log.warn({ organizationId, neededKeyIds }, 'storage node started locked: its data key is gone')
    },
    stop: () => front.stop(),
  }
}
