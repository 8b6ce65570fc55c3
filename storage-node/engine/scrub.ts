import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { Keyring } from '../crypto/keyring.ts'
import type { DamageList } from '../disk/damage.ts'
import { hasCode } from '../disk/disk.ts'
import { isDictionaryWhole } from '../files/dictionary.ts'
import { unsealFileKey } from '../files/file-key.ts'
import { filesFolder, type FileStore } from '../files/file-store.ts'
import { damageOfSegment, logFolder, type SealedSegment } from '../log/replay.ts'
import type { EngineOptions } from './options.ts'

/** So many bytes are read a second at most, spread over the rounds of the upkeep. */
const bytesPerSecond = 4 * 1024 * 1024
const firstAfterMs = 60 * 60_000
export const defaultScrubIntervalMs = 7 * 24 * 60 * 60_000

export interface ScrubTools {
  readonly options: Pick<EngineOptions, 'clock' | 'log' | 'disk' | 'dataFolder' | 'scrubIntervalMs'>
  readonly keyring: Keyring
  readonly store: FileStore
  readonly damage: DamageList
  /** Complete segments of the log. */
  readonly segments: () => readonly SealedSegment[]
}

interface Item {
  readonly name: string
  readonly check: (name: string) => Promise<number>
}

/**
 * Reads all files through from time to time, for damage to be found while there is a backup of what it has taken: the
 * first time an hour after the start, then an interval after the last time has ended.
 */
export class Scrub {
  readonly #tools: ScrubTools
  readonly #intervalMs: number
  #dueMs: number
  #left: Item[] | null = null
  #checked = 0
  #endedMs = 0

  constructor(tools: ScrubTools) {
    this.#tools = tools
    this.#intervalMs = tools.options.scrubIntervalMs ?? defaultScrubIntervalMs
    this.#dueMs = tools.options.clock.monotonicMs() + Math.min(firstAfterMs, this.#intervalMs)
  }

  /** Files checked since the start, and when all of them last had been, Unix time in milliseconds; 0 for never. */
  get result(): { readonly checkedFiles: number; readonly checkEndedMs: number } {
    return { checkedFiles: this.#checked, checkEndedMs: this.#endedMs }
  }

  /** Checks what a round of so many milliseconds has room for, at least one file. */
  async round(roundMs: number, stopped: AbortSignal): Promise<void> {
    const { options, damage } = this.#tools
    const { clock, log } = options
    if (this.#intervalMs === 0 || (!this.#left && clock.monotonicMs() < this.#dueMs)) return
    this.#left ??= this.#items()
    for (let bytes = 0; bytes < (bytesPerSecond * roundMs) / 1_000 && damage.isEmpty && !stopped.aborted;) {
      const next = this.#left.pop()
      if (!next) break
      bytes += await next.check(next.name)
      this.#checked++
    }
    if (this.#left.length > 0) return
    this.#left = null
    this.#dueMs = clock.monotonicMs() + this.#intervalMs
    this.#endedMs = clock.nowMs()
    log.info({ damagedFiles: damage.found.length }, 'all files have been checked')
  }

  #items(): Item[] {
    const { store, segments } = this.#tools
    const of = (names: readonly { readonly name: string }[], check: Item['check']): Item[] =>
      names.map(({ name }) => ({ name, check }))
    return [
      ...of(segments(), (name) => this.#checkSegment(name)),
      ...of(store.dictionaries(null), (name) => this.#checkDictionary(name)),
      ...of(
        store.files.map(({ entry }) => entry),
        (name) => this.#checkFile(name),
      ),
    ]
  }

  /** @returns bytes read; so do the others. What is gone by now needs no check. */
  async #checkFile(name: string): Promise<number> {
    const { store } = this.#tools
    const file = store.files.find(({ entry }) => entry.name === name)
    if (!file) return 0
    const unpin = store.pin([file])
    try {
      await store.isIntact(file)
    } catch (error) {
      this.#notRead(name, false, error)
    } finally {
      await unpin()
    }
    return file.entry.sizeBytes
  }

  async #checkDictionary(name: string): Promise<number> {
    const { options, store, keyring, damage } = this.#tools
    const find = () => store.dictionaries(null).find((entry) => entry.name === name)
    const entry = find()
    if (!entry) return 0
    const file = join(filesFolder, name)
    try {
      const bytes = await options.disk.read(join(options.dataFolder, file))
      const isWhole = isDictionaryWhole(bytes, unsealFileKey(keyring, name, entry.sealedKey))
      if (!isWhole && find()) damage.add({ file, offsetBytes: null, what: 'it is damaged' })
      return bytes.length
    } catch (error) {
      this.#notRead(file, find() !== undefined, error)
      return 0
    }
  }

  async #checkSegment(name: string): Promise<number> {
    const { options, segments, keyring, damage } = this.#tools
    const find = () => segments().find((segment) => segment.name === name)
    const segment = find()
    if (!segment) return 0
    const { disk, log, dataFolder } = options
    try {
      const folder = join(dataFolder, logFolder)
      // Others have their turn between two records.
      const found = await damageOfSegment({ disk, log, keyring, folder }, name, () => setImmediate())
      if (found && find()) damage.add(found)
    } catch (error) {
      this.#notRead(join(logFolder, name), find() !== undefined, error)
    }
    return segment.sizeBytes
  }

  /** Too many open files, or a file that went meanwhile, say nothing of its content: it has its turn the next time. */
  #notRead(file: string, isNamed: boolean, error: unknown): void {
    if (isNamed && (hasCode(error, 'ENOENT') || hasCode(error, 'EIO')))
      this.#tools.damage.add({ file, offsetBytes: null, what: 'it cannot be read' })
    else this.#tools.options.log.warn({ err: error, file }, 'file could not be checked')
  }
}
