import { expect, test, vi } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { readDataKeys } from '../../storage-node/data-key-file.ts'
import { Keyring } from '../../storage-node/crypto/keyring.ts'
import { MemoryDisk } from '../../storage-node/disk/memory-disk.ts'
import type { NodeConfig } from '../../storage-node/config.ts'
import { ownIdentity } from '../../storage-node/identity.ts'
import { rotateKey } from '../../storage-node/rotate-key.ts'
import { sealedStateFile } from '../../storage-node/state/state-file.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { Life } from './engine-life.ts'
import { dataKey, engineFolder, keyFile, nodeFolder, organizationId } from './node-folder.ts'
import { stage } from '../support/parquet-stand-in.ts'

vi.mock('../../storage-node/query-process/client.ts', async (original) => ({
  ...(await original<object>()),
  ...(await import('../support/parquet-stand-in.ts')),
}))

/** Promise: whenever a change of the data key is stopped, it can be run again, and nothing is ever without its key. */

const config: NodeConfig = {
  mode: 'alone',
  dataDir: '/',
  dataKeyFile: keyFile,
  listen: { host: '127.0.0.1', port: 0 },
  memoryLimitBytes: 512 * 1024 * 1024,
  logLevel: 'error',
  scrubIntervalMs: 0,
  duckdbExtension: 'none',
  queryProcess: 'none',
  authentication: false,
  tlsDir: null,
  metricsListen: null,
  auditKeyFile: null,
}

function rotate(disk: MemoryDisk): Promise<void> {
  stage.disk = disk
  const onFatal = (error: Error) => expect.unreachable(error.message)
  const auditOutput = () => undefined
  return rotateKey(config, { disk, clock: new FakeClock(), log: silentLogger, auditOutput, onFatal })
}

test('a kill or a loss of power before any step, then once more', async () => {
  const life = await nodeFolder()
  const disk = new MemoryDisk(life.disk)
  const stops: { disk: MemoryDisk; where: string }[] = []
  disk.onStep = (step, path) => {
    const powerless = new MemoryDisk(disk)
    powerless.powerLoss()
    const where = `before step ${stops.length / 2}, ${step} of ${path}`
    stops.push({ disk: new MemoryDisk(disk), where }, { disk: powerless, where })
  }
  await rotate(disk)
  disk.onStep = () => undefined
  stops.push({ disk, where: 'at the end' })
  expect(stops.length).toBeGreaterThan(40)
  for (const stop of stops) {
    const done = new MemoryDisk(stop.disk)
    await rotate(done).catch((error: unknown) => expect.unreachable(`${stop.where}: ${String(error)}`))
    done.powerLoss()
    const keys = await readDataKeys(done, keyFile)
    expect(keys.olderDataKeys).toEqual([])
    expect(Buffer.from(keys.dataKey).equals(dataKey)).toBe(false)
    const again = new Life(done, undefined, life, engineFolder)
    again.dataKeys = [keys.dataKey]
    await (await again.open()).check()
    const state = sealedStateFile(done, new Keyring(organizationId, keys.dataKey), '/')
    expect(await state.read()).not.toBeNull()
  }
  const own = await ownIdentity(disk, '/', keyFile, silentLogger)
  expect(own.organizationId).toBe(organizationId)
})

test('it waits for a node that is damaged', async () => {
  const { disk } = await nodeFolder()
  const [path, content] = [...disk.files].find(([name]) => name.endsWith('.parquet'))!
  disk.files.set(path, content.subarray(1))
  await expect(rotate(disk)).rejects.toMatchObject({ code: 'ERR_READ_ONLY' })
  expect((await readDataKeys(disk, keyFile)).olderDataKeys.map((key) => Buffer.from(key))).toEqual([
    Buffer.from(dataKey),
  ])
})
