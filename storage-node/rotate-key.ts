import { randomBytes } from 'node:crypto'
import { AppError } from '../common/errors.ts'
import type { NodeConfig } from './config.ts'
import { Keyring, keyBytes } from './crypto/keyring.ts'
import { DataKeyChange } from './data-key-change.ts'
import { readDataKeys, writeDataKeys } from './data-key-file.ts'
import { EngineComponent } from './engine-component.ts'
import type { NodeEnvironment } from './environment.ts'
import { ownIdentity } from './identity.ts'
import { sealedStateFile } from './state/state-file.ts'
import { StateStore } from './state/state-store.ts'

/**
 * `rotate-key`: gives a node that runs alone, and is stopped, a new data key. The new key is in the key file before
 * anything is sealed with it, and the old one until nothing needs it: stopped anywhere, it can be run again.
 */
export async function rotateKey(config: NodeConfig, environment: NodeEnvironment): Promise<void> {
  if (config.mode === 'cluster')
    throw new AppError('invalid', 'ERR_CONFIG', 'rotate-key is for a node that runs alone')
  const { disk, log } = environment
  const { dataDir, dataKeyFile } = config
  const found = await ownIdentity(disk, dataDir, dataKeyFile, log)
  // One that was begun and not ended is ended.
  if (found.olderDataKeys.length === 0)
    await writeDataKeys(disk, dataKeyFile, {
      dataKey: randomBytes(keyBytes),
      olderDataKeys: [found.dataKey],
    })
  const own = await ownIdentity(disk, dataDir, dataKeyFile, log)
  const keyring = new Keyring(own.organizationId, own.dataKey, own.olderDataKeys)
  const engine = new EngineComponent(config, own, environment)
  const store = new StateStore({
    organizationId: own.organizationId,
    file: sealedStateFile(disk, keyring, dataDir),
    onChange: async () => undefined,
    log,
  })
  await store.load()
  await engine.start()
  try {
    engine.require().setDatabases(store.kept?.databases ?? [])
    const readKeys = () => readDataKeys(disk, dataKeyFile)
    const change = new DataKeyChange({ readKeys, keyring, store, engine: () => engine.require(), log })
    await change.run()
  } finally {
    await engine.stop()
  }
  await writeDataKeys(disk, dataKeyFile, { dataKey: own.dataKey, olderDataKeys: [] })
}
