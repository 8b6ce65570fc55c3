import { randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { AppError, assert, messageOf } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import { keyBytes, type Keyring } from '../crypto/keyring.ts'
import type { DamageList } from '../disk/damage.ts'
import { hasCode, isFull, type Disk } from '../disk/disk.ts'
import { Catalog } from '../engine/catalog.ts'
import { coversWhole, type Tombstone } from '../engine/tombstones.ts'
import { encodeDictionary, loadDictionary } from './dictionary.ts'
import { resealed, sealFileKey, unsealFileKey } from './file-key.ts'
import { findMissing, removeOrphans } from './inventory.ts'
import { readManifest, replaceCopy, replaceManifest } from './manifest-file.ts'
import { emptyManifest, inOrder, type DictionaryEntry, type FileEntry, type Manifest } from './manifest.ts'
import { TombstoneList } from './tombstone-list.ts'

export interface FileStoreOptions {
  readonly disk: Disk
  readonly dataFolder: string
  readonly keyring: Keyring
  readonly log: Logger
  readonly damage: DamageList
  /** Called when nobody knows which manifest is in force. */
  readonly onFatal: (error: Error) => void
}

/** A file on disk with the bounds of its times as numbers to compare. */
export interface StoredFile {
  readonly entry: FileEntry
  readonly path: string
  readonly minTimeNs: bigint
  readonly maxTimeNs: bigint
}

/** What a dictionary is about, before it is written. */
export type DictionaryPart = Omit<DictionaryEntry, 'name' | 'sealedKey'>

/** The folder of files below the engine's. */
export const filesFolder = 'files'
const parquetSuffix = '.parquet'
const dictionarySuffix = '.dictionary'

/**
 * The files that the manifest in force names. A file becomes real by adoption and known by the next manifest; one that
 * is no longer named goes when nobody reads it any more.
 */
export class FileStore {
  readonly #options: FileStoreOptions
  readonly #folder: string
  readonly #temporaryFolder: string
  #files: StoredFile[]
  #dictionaries: readonly DictionaryEntry[]
  readonly #tombstones: TombstoneList
  #checkpoint: number
  #nextFile: number
  /** Readers of each file, by name. */
  readonly #pins = new Map<string, number>()
  /** Files out of sight that the manifest in force may still name: they must stay. */
  readonly #doomed = new Set<string>()
  /** Files that no manifest names any more; they stay until nobody reads them. */
  readonly #unnamed = new Set<string>()
  readonly #keys = new Map<string, Uint8Array>()
  /** Up to which position a database was deleted, as long as a manifest may still come that does not know. */
  readonly #deleted = new Map<string, number>()
  /** Databases with a damaged dictionary, and its name. */
  readonly #incomplete = new Map<string, string>()
  #changed = false

  private constructor(options: FileStoreOptions, manifest: Manifest) {
    this.#options = options
    this.#folder = join(options.dataFolder, filesFolder)
    this.#temporaryFolder = join(options.dataFolder, 'tmp')
    this.#files = manifest.files.map((entry) => this.#stored(entry))
    this.#dictionaries = manifest.dictionaries
    this.#tombstones = new TombstoneList(manifest.tombstones)
    this.#checkpoint = manifest.checkpoint
    this.#nextFile = manifest.nextFile
  }

  /**
   * Reads the manifest, checks that its files are there, removes what it does not name.
   * @throws AppError corrupt, ERR_MANIFEST_CORRUPT; invalid, ERR_DATA_KEY_WRONG
   */
  static async open(options: FileStoreOptions): Promise<FileStore> {
    const { disk, dataFolder } = options
    for (const name of [filesFolder, 'tmp']) await disk.makeFolder(join(dataFolder, name))
    const found = await readManifest(options)
    const store = new FileStore(options, found ?? emptyManifest)
    if (!found) {
      if ((await disk.list(store.#folder)).length > 0) {
        const text = `${join(dataFolder, 'manifest')}: missing, yet there are files`
        throw new AppError('corrupt', 'ERR_MANIFEST_CORRUPT', text)
      }
      // There is one before there is a file: a kill before the first commit must not look like a lost manifest.
      await replaceCopy(options, await replaceManifest(options, emptyManifest))
    }
    const there = { disk, files: store.#folder, temporary: store.#temporaryFolder }
    await findMissing(there, store.#files, (name, what) => store.#noteDamage(name, what))
    if (options.damage.isEmpty) await removeOrphans(there, store.#names(), options.log)
    return store
  }

  get checkpoint(): number {
    return this.#checkpoint
  }

  get files(): readonly StoredFile[] {
    return this.#files
  }

  /** Deletes that the files may not have seen yet, in order; whoever reads files takes both at one time. */
  get tombstones(): readonly Tombstone[] {
    return this.#tombstones.all
  }

  /** Files were dropped, or another data key came into force, since the last commit. */
  get changed(): boolean {
    return this.#changed
  }

  /** The catalogs as of the checkpoint; of a database with a damaged dictionary, what the ones before hold. */
  async loadCatalogs(): Promise<Map<string, Catalog>> {
    const catalogs = new Map<string, Catalog>()
    for (const entry of this.#dictionaries) {
      const catalog = catalogs.get(entry.databaseId) ?? new Catalog()
      catalogs.set(entry.databaseId, catalog)
      if (this.#incomplete.has(entry.databaseId)) continue
      const key = unsealFileKey(this.#options.keyring, entry.name, entry.sealedKey)
      try {
        loadDictionary(catalog, entry, await this.#options.disk.read(join(this.#folder, entry.name)), key)
      } catch (error) {
        if (isPassing(error)) throw error
        this.#incomplete.set(entry.databaseId, entry.name)
        this.#noteDamage(entry.name, hasCode(error, 'ENOENT') ? 'it is missing' : 'it is damaged')
      }
    }
    return catalogs
  }

  /** All series and fields of the database are known. */
  isComplete(databaseId: string): boolean {
    return !this.#incomplete.has(databaseId)
  }

  /** @throws AppError corrupt, ERR_DICTIONARY_CORRUPT */
  requireComplete(databaseId: string): void {
    const name = this.#incomplete.get(databaseId)
    if (name === undefined) return
    const text = `${name} is damaged: not all series of the database are known, it cannot be read`
    throw new AppError('corrupt', 'ERR_DICTIONARY_CORRUPT', text)
  }

  /** A database's dictionaries, in order; null is all databases. */
  dictionaries(databaseId: string | null): readonly DictionaryEntry[] {
    return this.#dictionaries.filter((entry) => databaseId === null || entry.databaseId === databaseId)
  }

  /** A name for a new Parquet file and where it is to be written. */
  newParquet(): { readonly name: string; readonly temporaryPath: string } {
    const name = this.#newName(parquetSuffix)
    // A query process that outlived its engine by a moment must not write into a file of the next one's.
    return { name, temporaryPath: join(this.#temporaryFolder, `${name}.${randomUUID()}`) }
  }

  sealKey(name: string, key: Uint8Array): string {
    return sealFileKey(this.#options.keyring, name, key)
  }

  keyOf(file: StoredFile): Uint8Array {
    const { name, sealedKey } = file.entry
    let key = this.#keys.get(name)
    if (!key) {
      key = unsealFileKey(this.#options.keyring, name, sealedKey)
      this.#keys.set(name, key)
    }
    return key
  }

  /** Makes a written file real; it counts once a commit names it. */
  async adopt(name: string, temporaryPath: string): Promise<{ sizeBytes: number; sha256: string }> {
    const { disk } = this.#options
    const path = join(this.#folder, name)
    await disk.adopt(temporaryPath, path)
    return { sizeBytes: await disk.sizeBytes(path), sha256: await disk.sha256(path) }
  }

  async writeDictionary(catalog: Catalog, part: DictionaryPart): Promise<DictionaryEntry> {
    const name = this.#newName(dictionarySuffix)
    const key = randomBytes(keyBytes)
    const entry = { ...part, name, sealedKey: this.sealKey(name, key) }
    const bytes = encodeDictionary(catalog, entry, key)
    await this.#options.disk.replace(join(this.#folder, entry.name), bytes)
    return entry
  }

  /**
   * Puts a new manifest in force: what is there, without what was dropped, and these.
   * @param replaced names of files in whose place the new ones stand
   */
  async commit(
    checkpoint: number,
    files: readonly FileEntry[],
    dictionaries: readonly DictionaryEntry[],
    replaced: ReadonlySet<string> = new Set(),
  ): Promise<void> {
    assert(checkpoint >= this.#checkpoint, 'the checkpoint never falls')
    this.#resealKeys()
    // What comes to be doomed while the manifest is being written is still named by it.
    const doomed = [...this.#doomed, ...replaced]
    this.#changed = false
    const named = [
      ...this.#files.filter(({ entry }) => !replaced.has(entry.name)),
      ...files.filter((entry) => !this.#isDeleted(entry)).map((entry) => this.#stored(entry)),
    ]
    const manifest: Manifest = {
      checkpoint,
      nextFile: this.#nextFile,
      files: named.map(({ entry }) => entry),
      dictionaries: inOrder([
        ...this.#dictionaries.filter(({ name }) => !replaced.has(name)),
        ...dictionaries.filter((entry) => !this.#isDeleted(entry)),
      ]),
      tombstones: this.#tombstones.entriesFor(named),
    }
    await this.#putInForce(
      manifest,
      [...files, ...dictionaries].map(({ name }) => name),
    )
    this.#checkpoint = checkpoint
    const kept = this.#files.filter(({ entry }) => !replaced.has(entry.name))
    this.#files = [...kept, ...files.map((entry) => this.#stored(entry))]
    const keptDictionaries = this.#dictionaries.filter(({ name }) => !replaced.has(name))
    this.#dictionaries = inOrder([...keptDictionaries, ...dictionaries])
    for (const name of doomed) {
      this.#doomed.delete(name)
      this.#unnamed.add(name)
    }
    // A database may have been deleted while the manifest was being written, or before, while its files were.
    this.#dropDeleted()
    for (const [databaseId, position] of this.#deleted)
      if (position <= checkpoint) this.#deleted.delete(databaseId)
    this.#dropCovered((file) => this.#tombstones.covers(file))
    for (const name of this.#unnamed) if (!this.#pins.has(name)) await this.#remove(name)
  }

  /** The next commit is due although no file came or went: another data key is in force. */
  noteKeyChange(): void {
    this.#changed = true
  }

  /** Whoever can open a manifest can open what it names: all keys in it are sealed by the data key that seals it. */
  #resealKeys(): void {
    const { keyring } = this.#options
    this.#files = this.#files.map((file) => {
      const entry = resealed(keyring, file.entry)
      return entry === file.entry ? file : { ...file, entry }
    })
    this.#dictionaries = this.#dictionaries.map((entry) => resealed(keyring, entry))
  }

  async #putInForce(manifest: Manifest, newNames: readonly string[]): Promise<void> {
    let bytes: Uint8Array | null = null
    try {
      bytes = await replaceManifest(this.#options, manifest)
      await replaceCopy(this.#options, bytes)
    } catch (error) {
      this.#changed = true
      // A full disk has replaced nothing; after any other failure it may be either manifest.
      const isReplaced = bytes !== null || !isFull(error)
      if (isReplaced) this.#options.onFatal(error instanceof Error ? error : new Error(messageOf(error)))
      else await this.discard(newNames)
      throw error
    }
  }

  /** Removes files that no manifest names: those of a flush that failed. */
  async discard(names: readonly string[]): Promise<void> {
    for (const name of names) await this.#remove(name)
    for (const name of await this.#options.disk.list(this.#temporaryFolder))
      await this.#options.disk.remove(join(this.#temporaryFolder, name))
  }

  /** Takes files out of sight; they are gone from the disk after the next commit, once nobody reads them. */
  drop(isDropped: (entry: FileEntry) => boolean): number {
    const dropped = this.#files.filter(({ entry }) => isDropped(entry))
    if (dropped.length === 0) return 0
    this.#files = this.#files.filter(({ entry }) => !isDropped(entry))
    for (const { entry } of dropped) this.#doomed.add(entry.name)
    this.#changed = true
    return dropped.length
  }

  /** Drops all files of a database that hold what was written up to a position, also those that are still being made. */
  deleteDatabase(databaseId: string, position: number): void {
    this.#deleted.set(databaseId, position)
    this.#dropDeleted()
  }

  /** See `TombstoneList.await`. */
  awaitFiles(position: number): () => void {
    const arrived = this.#tombstones.await(position)
    return () => {
      arrived()
      this.#tombstones.prune(this.#files)
    }
  }

  /** Deletes points in files, also those that are being made; files that are deleted as a whole go at once. */
  addTombstone(tombstone: Tombstone): void {
    this.#tombstones.add(tombstone)
    this.#dropCovered((file) => coversWhole(tombstone, file))
  }

  #dropCovered(isCovered: (file: StoredFile) => boolean): void {
    const covered = this.#files.filter(isCovered)
    const names = new Set(covered.map(({ entry }) => entry.name))
    this.drop(({ name }) => names.has(name))
    this.#tombstones.prune(this.#files)
  }

  #isDeleted({ databaseId, lastPosition }: { databaseId: string; lastPosition: number }): boolean {
    return lastPosition <= (this.#deleted.get(databaseId) ?? -1)
  }

  #dropDeleted(): void {
    this.drop((entry) => this.#isDeleted(entry))
    const dropped = this.#dictionaries.filter((entry) => this.#isDeleted(entry))
    if (dropped.length === 0) return
    this.#dictionaries = this.#dictionaries.filter((entry) => !this.#isDeleted(entry))
    for (const { name } of dropped) this.#doomed.add(name)
    this.#changed = true
  }

  /** Keeps files on disk while they are read. @returns what ends it */
  pin(files: readonly StoredFile[]): () => Promise<void> {
    for (const { entry } of files) this.#pins.set(entry.name, (this.#pins.get(entry.name) ?? 0) + 1)
    return async () => {
      for (const { entry } of files) {
        const rest = this.#pins.get(entry.name)! - 1
        if (rest > 0) this.#pins.set(entry.name, rest)
        else this.#pins.delete(entry.name)
        if (rest === 0 && this.#unnamed.has(entry.name)) await this.#remove(entry.name)
      }
    }
  }

  /** Reads the file through; damage is noted. @returns whether it is still what was adopted */
  async isIntact({ path, entry }: StoredFile): Promise<boolean> {
    try {
      if ((await this.#options.disk.sha256(path)) === entry.sha256) return true
      this.#noteDamage(entry.name, 'its content is not what was written')
    } catch (error) {
      if (isPassing(error)) throw error
      this.#noteDamage(entry.name, hasCode(error, 'ENOENT') ? 'it is missing' : 'it cannot be read')
    }
    return false
  }

  #stored(entry: FileEntry): StoredFile {
    return {
      entry,
      path: join(this.#folder, entry.name),
      minTimeNs: BigInt(entry.minTimeNs),
      maxTimeNs: BigInt(entry.maxTimeNs),
    }
  }

  #newName(suffix: string): string {
    return (this.#nextFile++).toString(16).padStart(16, '0') + suffix
  }

  async #remove(name: string): Promise<void> {
    this.#unnamed.delete(name)
    this.#keys.delete(name)
    try {
      await this.#options.disk.remove(join(this.#folder, name))
    } catch (error) {
      // No manifest names it: the next start removes it.
      this.#options.log.warn({ err: error, file: name }, 'file could not be removed')
    }
  }

  /** All names that the manifest in force has. */
  #names(): Set<string> {
    return new Set([
      ...this.#files.map(({ entry }) => entry.name),
      ...this.#dictionaries.map(({ name }) => name),
    ])
  }

  #noteDamage(name: string, what: string): void {
    this.#options.damage.add({ file: join(filesFolder, name), offsetBytes: null, what })
  }
}

/** A failure that says nothing of the file: too many of them open, for example. */
function isPassing(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && !hasCode(error, 'ENOENT') && !hasCode(error, 'EIO')
}
