import { join } from 'node:path'
import { AppError } from '../common/errors.ts'
import type { Component } from '../common/lifecycle.ts'
import type { NodeConfig } from './config.ts'
import { Engine } from './engine/engine.ts'
import type { NodeEnvironment } from './environment.ts'
import type { OwnIdentity } from './identity.ts'

/** Opens the engine, which may take as long as its log is, and closes it with a flush. */
export class EngineComponent implements Component {
  readonly name = 'engine'
  readonly #open: () => Promise<Engine>
  #engine: Engine | null = null

  constructor(config: NodeConfig, own: OwnIdentity, { disk, clock, log, onFatal }: NodeEnvironment) {
    this.#open = () =>
      Engine.open({
        disk,
        clock,
        log,
        organizationId: own.organizationId,
        dataKey: own.dataKey,
        olderDataKeys: own.olderDataKeys,
        dataFolder: join(config.dataDir, 'engine'),
        queryProcess: { program: config.queryProcess, extensionPath: config.duckdbExtension },
        memoryLimitBytes: config.memoryLimitBytes,
        scrubIntervalMs: config.scrubIntervalMs,
        onFatal,
      })
  }

  get current(): Engine | null {
    return this.#engine
  }

  /** @throws AppError unavailable */
  require(): Engine {
    if (!this.#engine) throw new AppError('unavailable', 'ERR_NODE_STARTING', 'the engine is not open')
    return this.#engine
  }

  async start(): Promise<void> {
    this.#engine = await this.#open()
  }

  async stop(): Promise<void> {
    const engine = this.#engine
    this.#engine = null
    await engine?.close()
  }
}
