import { join } from 'node:path'
import type { FileDamage, NodeTrouble } from '../../common/admin-api.ts'
import type { DatabaseState } from '../../common/state-document.ts'
import { bytesOfTable } from '../buffer/table-buffer.ts'
import { Keyring } from '../crypto/keyring.ts'
import { DamageList } from '../disk/damage.ts'
import { FileStore } from '../files/file-store.ts'
import { Log } from '../log/log.ts'
import { logFolder } from '../log/replay.ts'
import { QueryProcess } from '../query-process/client.ts'
import { applyWrite } from './apply.ts'
import { Attachments, cutoffNs, type EngineLimits } from './attachments.ts'
import { Ballast } from './ballast.ts'
import { Compactor } from './compactor.ts'
import { applyDelete, Deletes, type DeleteRequest } from './delete.ts'
import { DiskGuard } from './disk-guard.ts'
import { flushFailed, frozenDatabase, writeFreeze, type Freeze } from './flush.ts'
import { InOrder } from './in-order.ts'
import type { PreparedRows } from './kept-rows.ts'
import type { EngineOptions, EngineStats } from './options.ts'
import type { WriteOutcome, WriteRequest } from './outcome.ts'
import { aggregatePoints, readPoints, timeRangeOf, type Readable } from './open-read.ts'
import type { Block, Reader, ReadRequest } from './reader.ts'
import { decodeLogRecord, encodeLogRecord, type LogRecord, type WriteRecord } from './record.ts'
import { requireReplayRoom } from './replay-room.ts'
import { dropExpired, RetentionClock } from './retention.ts'
import { Room } from './room.ts'
import { Scrub } from './scrub.ts'
import { shares } from './shares.ts'
import { statsOf, tablesOf } from './stats.ts'
import { seriesBeside, StoredDatabase } from './stored-database.ts'
import { troublesOf, WorkRecord } from './work-record.ts'

export type { EngineLimits, EngineOptions, EngineStats, WriteOutcome, WriteRequest }

const noOutcome: WriteOutcome = { accepted: 0, problems: [] }
const flushAgeMs = 10 * 60_000
const flushLogBytes = 128 * 1024 * 1024
const upkeepMs = 5_000

/** The time-series engine of one organization: durable writes, merged reads. */
export class Engine implements Reader {
  readonly #options: EngineOptions
  readonly #keyring: Keyring
  readonly #store: FileStore
  readonly #queryProcess: QueryProcess
  readonly #diskGuard: DiskGuard
  readonly #ballast: Ballast
  readonly #damage: DamageList
  readonly #compactor: Compactor
  readonly #scrub: Scrub
  readonly #room: Room
  readonly #databases: Map<string, StoredDatabase>
  readonly #shares: ReturnType<typeof shares>
  readonly #stopped = new AbortController()
  #log!: Log
  #attachments = new Attachments([], null)
  #freeze: Freeze | null = null
  /** Flushes and compactions: each builds on the manifest that the one before made. */
  readonly #manifestWork = new InOrder()
  readonly #deletes: Deletes
  #flushWanted = false
  #oldestUnflushedMs: number | null = null
  #upkeep: Promise<void> = Promise.resolve()
  readonly #flushRecord: WorkRecord
  #pointsWritten = 0

  private constructor(
    options: EngineOptions,
    keyring: Keyring,
    damage: DamageList,
    store: FileStore,
    databases: Map<string, StoredDatabase>,
  ) {
    this.#options = options
    this.#keyring = keyring
    this.#damage = damage
    this.#store = store
    this.#databases = databases
    this.#shares = shares(options.memoryLimitBytes)
    this.#room = new Room({
      clock: options.clock,
      shares: this.#shares,
      bufferBytes: () => this.#bufferBytes(),
      onFull: () => {
        this.#flushRecord.noteNoRoom()
        this.#flushInBackground()
      },
    })
    this.#flushRecord = new WorkRecord(options.clock, 'buffers cannot be put into files')
    this.#diskGuard = new DiskGuard(options)
    this.#ballast = new Ballast(options.disk, options.log, options.dataFolder)
    this.#queryProcess = new QueryProcess({
      program: options.queryProcess.program,
      settings: { extensionPath: options.queryProcess.extensionPath, ...this.#shares.queryProcess },
      clock: options.clock,
      log: options.log,
    })
    const bounds = { clock: options.clock, store, maxCopiedBytes: this.#shares.flushBytes }
    this.#deletes = new Deletes(bounds, (record, prepared) => this.#append(record, prepared))
    this.#compactor = new Compactor(
      options,
      store,
      this.#queryProcess,
      this.#diskGuard,
      this.#manifestWork.run,
    )
    this.#scrub = new Scrub({ options, keyring, store, damage, segments: () => this.#log.sealed })
  }

  /**
   * Opens the data folder, made if it is not there, and replays the log. Damage makes the engine read-only.
   * @throws AppError corrupt, ERR_MANIFEST_CORRUPT, naming the file; invalid, ERR_DATA_KEY_WRONG
   */
  static async open(options: EngineOptions): Promise<Engine> {
    const { disk, dataFolder, log, onFatal } = options
    const keyring = new Keyring(options.organizationId, options.dataKey, options.olderDataKeys)
    const damage = new DamageList(log)
    const store = await FileStore.open({ disk, dataFolder, keyring, log, damage, onFatal })
    const databases = new Map<string, StoredDatabase>()
    for (const [id, catalog] of await store.loadCatalogs()) databases.set(id, new StoredDatabase(id, catalog))
    const engine = new Engine(options, keyring, damage, store, databases)
    const makeRoom = () => engine.#ballast.release()
    engine.#log = await Log.open(
      { disk, folder: join(dataFolder, logFolder), keyring, log, damage, makeRoom, onFatal },
      store.checkpoint,
      (position, payload) => engine.#replay(position, decodeLogRecord(payload)),
    )
    await engine.#log.removeThrough(store.checkpoint)
    engine.#upkeep = engine.#keepUp()
    if (engine.#bufferBytes() > engine.#shares.flushBytes) engine.#flushInBackground()
    return engine
  }

  /** What is attached from now on. Absence detaches; it never deletes. */
  setDatabases(databases: readonly DatabaseState[], limits: EngineLimits | null = null): void {
    this.#attachments = new Attachments(databases, limits)
  }

  /**
   * Resolves when the points are durable and visible.
   * @throws AppError not-found: ERR_DATABASE_NOT_FOUND, ERR_RETENTION_POLICY_NOT_FOUND; unavailable: ERR_READ_ONLY,
   * ERR_DISK_FULL, ERR_BUFFER_FULL, ERR_LOG_BUSY, ERR_LOG_FAILED
   */
  async write(request: WriteRequest): Promise<WriteOutcome> {
    const { batch, databaseId } = request
    const policy = this.#attachments.policy(databaseId, request.retentionPolicy)
    const limits = this.#attachments.limits(databaseId)
    const invalid = batch.rejections.map((rejection) => ({ kind: 'invalid' as const, ...rejection }))
    if (batch.pointCount === 0) return { ...noOutcome, problems: invalid }
    this.#damage.requireNone()
    const bytes = batch.tables.reduce((sum, table) => sum + bytesOfTable(table), 0)
    await this.#diskGuard.check(bytes)
    await this.#room.take(bytes)
    const record: WriteRecord = {
      kind: 'write',
      databaseId,
      retentionPolicy: policy.name,
      cutoffNs: cutoffNs(policy, this.#options.clock.nowNs()),
      limits,
      tables: batch.tables,
    }
    const outcome = await this.#append(record).finally(() => this.#room.giveBack(bytes))
    if (this.#bufferBytes() > this.#shares.flushBytes) this.#flushInBackground()
    return { accepted: outcome.accepted, problems: [...invalid, ...outcome.problems] }
  }

  readonly measurements: Reader['measurements'] = (databaseId) =>
    this.#find(databaseId)?.measurements(this.#store.files) ?? []

  readonly series: Reader['series'] = (databaseId, measurement) =>
    this.#find(databaseId)?.catalog.series(measurement) ?? []

  readonly generation: Reader['generation'] = (databaseId) => this.#find(databaseId)?.generation ?? null

  readonly timeRange: NonNullable<Reader['timeRange']> = (...place) => timeRangeOf(this.#readable, ...place)

  readonly read = (request: ReadRequest): AsyncGenerator<Block> => readPoints(this.#readable, request)

  readonly aggregate: NonNullable<Reader['aggregate']> = (request) => aggregatePoints(this.#readable, request)

  get #readable(): Readable {
    return {
      attachments: this.#attachments,
      database: (id) => this.#find(id),
      store: this.#store,
      queryProcess: this.#queryProcess,
      clock: this.#options.clock,
    }
  }

  /**
   * Deletes points that were written before; durable and out of sight when it resolves.
   * @throws AppError not-found: ERR_DATABASE_NOT_FOUND, ERR_RETENTION_POLICY_NOT_FOUND; too-large, ERR_DELETE_SERIES;
   * unavailable: ERR_READ_ONLY, ERR_TOO_MANY_DELETES, ERR_LOG_BUSY, ERR_LOG_FAILED
   */
  async delete(request: DeleteRequest): Promise<void> {
    this.#attachments.policy(request.databaseId, request.retentionPolicy)
    this.#damage.requireNone()
    await this.#deletes.add(request, () => this.#databases.get(request.databaseId))
  }

  /** Deletes all data of a database, attached or not; durable when it resolves. */
  async deleteDatabase(databaseId: string): Promise<void> {
    if (!this.#databases.has(databaseId)) return
    this.#damage.requireNone()
    await this.#deletes.inOrder(() => this.#append({ kind: 'delete-database', databaseId }))
    await this.flush()
  }

  /** Ids of the data keys, beside the one in force, without which the data folder does not open. */
  olderKeyIds = (): readonly string[] => this.#keyring.olderKeyIds

  /** Ids, sorted, attached or not. */
  databasesWithData = (): readonly string[] => [...this.#databases.keys()].sort()

  /** With the first of it the engine is read-only. */
  get damage(): readonly FileDamage[] {
    return this.#damage.found
  }

  /** What fails again and again. */
  get troubles(): readonly NodeTrouble[] {
    return troublesOf(this.#flushRecord, this.#compactor.record)
  }

  /** Puts all that is buffered into files; of a read-only engine it stays in the log. */
  flush(): Promise<void> {
    // A flush that is under way may have frozen the buffers before the caller's points came.
    return this.#manifestWork.run(async () => {
      this.#flushWanted = false
      if (this.#damage.isEmpty) await this.#flushOnce()
    })
  }

  /**
   * Puts a data key in force: what older ones have wrapped is wrapped anew, and no data are written again. When it
   * resolves nothing in the data folder needs an older key. It can be tried again, also after a restart.
   * @throws AppError unavailable: ERR_READ_ONLY, ERR_FLUSH, ERR_DISK_FULL, ERR_LOG_FAILED
   */
  useDataKey(dataKey: Uint8Array): Promise<void> {
    return this.#manifestWork.run(async () => {
      this.#damage.requireNone()
      this.#keyring.use(dataKey)
      this.#store.noteKeyChange()
      await this.#log.renew()
      await this.#flushOnce()
      this.#keyring.settle()
    })
  }

  stats = (): EngineStats => {
    const work = { flushRecord: this.#flushRecord, compactor: this.#compactor }
    const counts = { ...work, ...this.#scrub.result, pointsWritten: this.#pointsWritten }
    return statsOf(this.#store, this.#log, this.#databases, counts, this.#diskGuard.isFull)
  }

  /** Flushes, then ends the query process. What could not be flushed is in the log. */
  async close(): Promise<void> {
    this.#stopped.abort()
    await this.#upkeep
    try {
      await this.flush()
    } finally {
      await this.#log.close()
      await this.#queryProcess.close()
    }
  }

  /** Where a log holds more than fits into memory, buffers are put into files meanwhile; not before, for nobody is served yet. */
  async #replay(position: number, record: LogRecord): Promise<void> {
    // Its ids would not be those that it had; nothing is flushed, so the log keeps the record.
    if (!this.#store.isComplete(record.databaseId)) return
    this.#apply(position, record)
    if (!this.#damage.isEmpty) return requireReplayRoom(this.#bufferBytes(), this.#shares)
    if (this.#bufferBytes() <= this.#shares.refuseBytes || this.#flushRecord.failuresInRow > 0) return
    try {
      await this.#writeFrozen(this.#freezeBuffers(position))
    } catch (error) {
      // Reads need no room on the disk: the node serves what it has, and the next flush tries again.
      this.#flushRecord.failed(error)
      this.#options.log.error({ err: error }, 'buffers could not be put into files')
    }
  }

  async #append(record: LogRecord, prepared?: PreparedRows): Promise<WriteOutcome> {
    return this.#log.append(encodeLogRecord(record), (position) => this.#apply(position, record, prepared))
  }

  /** What a durable record does; nothing else changes data. */
  #apply(position: number, record: LogRecord, prepared?: PreparedRows): WriteOutcome {
    if (record.kind === 'delete-database') {
      this.#databases.delete(record.databaseId)
      this.#store.deleteDatabase(record.databaseId, position)
      return noOutcome
    }
    this.#oldestUnflushedMs ??= this.#options.clock.monotonicMs()
    if (record.kind === 'delete') {
      applyDelete(this.#databases.get(record.databaseId), this.#store, record, position, prepared)
      return noOutcome
    }
    let database = this.#databases.get(record.databaseId)
    if (!database) {
      database = new StoredDatabase(record.databaseId)
      this.#databases.set(record.databaseId, database)
    }
    const outcome = applyWrite(database, record, seriesBeside(this.#databases, database))
    this.#pointsWritten += outcome.accepted
    return outcome
  }

  #find(databaseId: string): StoredDatabase | undefined {
    this.#store.requireComplete(databaseId)
    return this.#databases.get(databaseId)
  }

  #bufferBytes(): number {
    return tablesOf(this.#databases).reduce((sum, table) => sum + table.bytes, 0)
  }

  /** After what is under way or waits, if there is any: writers may wait for it, but so do compactions. */
  #flushInBackground(): void {
    if (this.#flushWanted || this.#stopped.signal.aborted) return
    this.#flushWanted = true
    void this.#tryToFlush()
  }

  /** What fails is tried again by the upkeep. */
  #tryToFlush(): Promise<void> {
    return this.flush().catch((error: unknown) => {
      this.#options.log.error({ err: error }, 'buffers could not be put into files')
    })
  }

  async #flushOnce(): Promise<void> {
    const store = this.#store
    try {
      // What an attempt before froze comes first: files cover positions in order.
      if (this.#freeze) await this.#finishFreeze(this.#freeze)
      if (this.#log.position === store.checkpoint && !store.changed) return this.#flushRecord.nothingLeft()
      const freeze = this.#freezeBuffers(this.#log.position)
      this.#log.roll()
      await this.#finishFreeze(freeze)
    } catch (error) {
      this.#flushRecord.failed(error)
      throw flushFailed(error)
    }
  }

  #freezeBuffers(position: number): Freeze {
    const databases = [...this.#databases.values()].map(frozenDatabase)
    this.#oldestUnflushedMs = null
    this.#freeze = { position, databases, arrived: this.#store.awaitFiles(position) }
    return this.#freeze
  }

  async #finishFreeze(freeze: Freeze): Promise<void> {
    await this.#writeFrozen(freeze)
    await this.#log.removeThrough(freeze.position)
    this.#flushRecord.succeeded()
  }

  async #writeFrozen(freeze: Freeze): Promise<void> {
    const tools = {
      store: this.#store,
      queryProcess: this.#queryProcess,
      shardDurationNs: (id: string, name: string) => this.#attachments.shardDurationNs(id, name),
      cellsPerFile: this.#shares.cellsPerFile,
      makeRoom: () => this.#ballast.releaseIfFull(),
    }
    await writeFreeze(tools, freeze)
    // From here on the files answer for these points: no read may see them in neither or in both.
    for (const { database } of freeze.databases) database.frozen = null
    freeze.arrived()
    this.#freeze = null
    this.#room.made()
  }

  /** Flushes what waits too long or takes too much room, and drops files that retention has passed by. */
  async #keepUp(): Promise<void> {
    const { clock } = this.#options
    const retentionClock = new RetentionClock(clock)
    for (;;) {
      try {
        await clock.sleep(upkeepMs, this.#stopped.signal)
      } catch {
        return
      }
      if (!this.#damage.isEmpty) continue
      await this.#ballast.keep()
      await this.#compactor.run(this.#attachments, this.#databases, this.#stopped.signal)
      await this.#scrub.round(upkeepMs, this.#stopped.signal)
      dropExpired(this.#store, this.#attachments, retentionClock)
      const ageMs = clock.monotonicMs() - (this.#oldestUnflushedMs ?? Infinity)
      const waits = this.#freeze !== null || this.#store.changed
      if (waits || ageMs > flushAgeMs || this.#log.sizeBytes > flushLogBytes) await this.#tryToFlush()
    }
  }
}
