import type { DatabaseState } from '../../common/state-document.ts'
import { AppError } from '../../common/errors.ts'
import type { EngineOptions, EngineStats } from './options.ts'
import type { WriteOutcome, WriteRequest } from './outcome.ts'
import type { Block, MeasurementSchema, Reader, ReadRequest, Series } from './reader.ts'

export type { EngineOptions, EngineStats, WriteOutcome, WriteRequest }

const notYet = () => new AppError('unavailable', 'ERR_ENGINE_CLOSED', 'the engine is not open')

export interface EngineLimits {
  /** Series of the whole organization. */
  readonly series: number
}

export class Engine implements Reader {
  readonly #options: EngineOptions

  private constructor(options: EngineOptions) {
    this.#options = options
  }

  static open(options: EngineOptions): Promise<Engine> {
    return Promise.resolve(new Engine(options))
  }

  setDatabases(_databases: readonly DatabaseState[], _limits: EngineLimits | null = null): void {
    throw notYet()
  }

  write(_request: WriteRequest): Promise<WriteOutcome> {
    return Promise.reject(notYet())
  }

  measurements(_databaseId: string): readonly MeasurementSchema[] {
    throw notYet()
  }

  series(_databaseId: string, _measurement: string): readonly Series[] {
    throw notYet()
  }

  read(_request: ReadRequest): AsyncIterable<Block> {
    throw notYet()
  }

  deleteDatabase(_databaseId: string): Promise<void> {
    return Promise.reject(notYet())
  }

  /** Ids, sorted, attached or not. */
  databasesWithData(): readonly string[] {
    throw notYet()
  }

  flush(): Promise<void> {
    return Promise.reject(notYet())
  }

  stats(): EngineStats {
    throw notYet()
  }

  /** Flushes, then ends the query process. */
  close(): Promise<void> {
    return Promise.reject(notYet()).finally(() => this.#options.log.debug('closed'))
  }
}
