import { describe, expect, test } from 'vitest'
import { AppError } from '../common/errors.ts'
import { silentLogger } from '../common/log.ts'
import { dataKeyId } from '../common/data-key.ts'
import { Keyring } from './crypto/keyring.ts'
import { DataKeyChange } from './data-key-change.ts'
import { MemoryDisk } from './disk/memory-disk.ts'
import type { Engine } from './engine/engine.ts'
import { firstDocument } from './state/alone.ts'
import { sealedStateFile } from './state/state-file.ts'
import { StateStore } from './state/state-store.ts'

/** Promise: an older key is told as needed until nothing needs it, and no key that is needed may be missing. */

const organizationId = '0123456789abcdef'
const [old, fresh, third] = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte))
const idOf = (key: Uint8Array | undefined): string => dataKeyId(key!)

class World {
  readonly disk = new MemoryDisk()
  readonly keyring = new Keyring(organizationId, old!)
  /** What the key file holds now. */
  keys: readonly (Uint8Array | undefined)[] = [old]
  failure: Error | null = null
  damaged = false
  readonly engineKeys: string[] = []
  readonly store = new StateStore({
    organizationId,
    file: sealedStateFile(this.disk, this.keyring, '/'),
    onChange: async () => undefined,
    log: silentLogger,
  })
  readonly change = new DataKeyChange({
    readKeys: async () => ({ dataKey: this.keys[0]!, olderDataKeys: this.keys.slice(1).map((key) => key!) }),
    keyring: this.keyring,
    store: this.store,
    engine: () => this.#engine as unknown as Engine,
    log: silentLogger,
  })
  readonly #engine = {
    damage: [] as object[],
    olderKeyIds: () => (this.failure && this.engineKeys.length > 0 ? [idOf(old)] : []),
    useDataKey: async (key: Uint8Array) => {
      this.engineKeys.push(idOf(key))
      if (this.failure) throw this.failure
    },
  }

  async open(): Promise<this> {
    await this.store.load()
    await this.store.replace('', firstDocument(organizationId))
    if (this.damaged) this.#engine.damage.push({})
    return this
  }

  /** The state document opens with this key alone. */
  async opensWith(key: Uint8Array | undefined): Promise<boolean> {
    const file = sealedStateFile(this.disk, new Keyring(organizationId, key!), '/')
    return file.read().then(
      () => true,
      () => false,
    )
  }
}

describe('a change of the data key', () => {
  test('puts the first key of the file in force, for the engine and the state document', async () => {
    const world = await new World().open()
    world.keys = [fresh, old]
    expect(await world.change.run()).toEqual({ keyId: idOf(fresh), olderKeyIds: [] })
    expect([await world.opensWith(fresh), await world.opensWith(old)]).toEqual([true, false])
    world.keys = [fresh]
    await world.change.run()
    expect(world.engineKeys).toEqual([idOf(fresh)])
  })

  test('is refused while the file lacks a key that is needed, and leaves all as it was', async () => {
    const world = await new World().open()
    world.keys = [fresh]
    await expect(world.change.run()).rejects.toMatchObject({
      code: 'ERR_DATA_KEY_NEEDED',
      message: expect.stringContaining(idOf(old)),
    })
    expect(world.change.state()).toEqual({ keyId: idOf(old), olderKeyIds: [] })
    expect(world.engineKeys).toEqual([])
    expect(await world.opensWith(old)).toBe(true)
  })

  test('that failed needs both keys, and succeeds when it is tried again', async () => {
    const world = await new World().open()
    world.keys = [fresh, old]
    world.failure = new AppError('unavailable', 'ERR_DISK_FULL', 'the disk is full')
    await expect(world.change.run()).rejects.toMatchObject({ code: 'ERR_DISK_FULL' })
    expect(world.change.state()).toEqual({ keyId: idOf(fresh), olderKeyIds: [idOf(old)] })
    world.keys = [fresh]
    await expect(world.change.run()).rejects.toMatchObject({ code: 'ERR_DATA_KEY_NEEDED' })
    world.keys = [fresh, old]
    world.failure = null
    await world.change.finish()
    expect(world.change.state()).toEqual({ keyId: idOf(fresh), olderKeyIds: [] })
    expect(await world.opensWith(fresh)).toBe(true)
  })

  test('two at one time come one after the other', async () => {
    const world = await new World().open()
    world.keys = [fresh, old]
    const first = world.change.run()
    const second = world.change.run().then(() => {
      world.keys = [third, fresh]
      return world.change.run()
    })
    expect([await first, await second].map(({ keyId }) => keyId)).toEqual([idOf(fresh), idOf(third)])
    expect(world.engineKeys).toEqual([idOf(fresh), idOf(third)])
  })

  test('that a start would end does not keep the node from serving', async () => {
    const world = await new World().open()
    world.keyring.use(fresh!)
    world.keys = [fresh, old]
    world.failure = new Error('no room')
    await expect(world.change.finish()).resolves.toBeUndefined()
    expect(world.change.state().olderKeyIds).toEqual([idOf(old)])
  })

  test('is not tried on a damaged node', async () => {
    const world = new World()
    world.damaged = true
    await world.open()
    world.keyring.use(fresh!)
    world.keys = [fresh, old]
    await world.change.finish()
    expect(world.engineKeys).toEqual([])
  })
})
