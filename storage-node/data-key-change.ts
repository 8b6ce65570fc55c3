import type { DataKeyState } from '../common/admin-api.ts'
import { dataKeyId } from '../common/data-key.ts'
import { AppError, messageOf } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import type { Keyring } from './crypto/keyring.ts'
import type { DataKeys } from './data-key-file.ts'
import type { Engine } from './engine/engine.ts'
import type { StateStore } from './state/state-store.ts'

export interface DataKeyChangeOptions {
  /** Reads the key file as it is now. */
  readonly readKeys: () => Promise<DataKeys>
  /** Seals the state document; the engine has its own. */
  readonly keyring: Keyring
  readonly store: StateStore
  /** @throws AppError unavailable while it is not open */
  readonly engine: () => Engine
  readonly log: Logger
}

/** Brings the first key of the key file into force for all that this node keeps. */
export class DataKeyChange {
  readonly #options: DataKeyChangeOptions
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: DataKeyChangeOptions) {
    this.#options = options
  }

  /** @throws AppError unavailable while the engine is not open */
  state(): DataKeyState {
    const { keyring, engine } = this.#options
    const older = new Set([...keyring.olderKeyIds, ...engine().olderKeyIds()])
    return { keyId: keyring.keyId, olderKeyIds: [...older].sort() }
  }

  /**
   * When it resolves nothing that is kept needs a key other than the first of the file.
   * @throws AppError invalid, ERR_DATA_KEY_FILE; conflict, ERR_DATA_KEY_NEEDED; unavailable, as of `Engine.useDataKey`
   */
  run(): Promise<DataKeyState> {
    const done = this.#turn.then(() => this.#run())
    this.#turn = done.catch(() => undefined)
    return done
  }

  /** At the start: ends a change that was begun. The node serves all the same if it cannot. */
  async finish(): Promise<void> {
    const { engine, log } = this.#options
    if (this.state().olderKeyIds.length === 0) return
    try {
      // A damaged node changes nothing on its disk.
      if (engine().damage.length === 0) await this.run()
    } catch (error) {
      log.error({ reason: messageOf(error) }, 'older data keys are still needed')
    }
  }

  async #run(): Promise<DataKeyState> {
    const { readKeys, keyring, store, engine, log } = this.#options
    const { dataKey, olderDataKeys } = await readKeys()
    const before = this.state()
    if (dataKeyId(dataKey) === before.keyId && before.olderKeyIds.length === 0) return before
    // A stop half-way leaves what only the keys before open: they have to be found again at the next start.
    const there = new Set([dataKey, ...olderDataKeys].map(dataKeyId))
    for (const id of [before.keyId, ...before.olderKeyIds]) if (!there.has(id)) throw stillNeeded(id)
    keyring.use(dataKey)
    await engine().useDataKey(dataKey)
    await store.rewrite()
    keyring.settle()
    log.info({ keyId: keyring.keyId }, 'data key in force, older ones are not needed any more')
    return this.state()
  }
}

function stillNeeded(id: string): AppError {
  return new AppError(
    'conflict',
    'ERR_DATA_KEY_NEEDED',
    `data key ${id} is still needed: it has to stay in the data key file, behind the new one, until that is in force`,
  )
}
