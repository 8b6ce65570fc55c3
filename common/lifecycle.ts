import { messageOf } from './errors.ts'
import type { Logger } from './log.ts'

/** Something with a lifetime. `start` resolves when it serves; `stop` when nothing of it runs any more. */
export interface Component {
  readonly name: string
  start(): Promise<void>
  stop(): Promise<void>
}

/**
 * Starts components in order and stops them in reverse order: what faces users comes last and goes first. If one
 * fails to start, those before it are stopped and the failure is thrown.
 */
export class Lifecycle {
  readonly #components: readonly Component[]
  readonly #log: Logger
  #started: Component[] = []

  constructor(components: readonly Component[], log: Logger) {
    this.#components = components
    this.#log = log
  }

  async start(): Promise<void> {
    for (const component of this.#components) {
      try {
        await component.start()
      } catch (error) {
        await this.stop()
        throw new Error(`${component.name} did not start: ${messageOf(error)}`, { cause: error })
      }
      this.#started.push(component)
    }
  }

  async stop(): Promise<void> {
    const stopping = this.#started.toReversed()
    this.#started = []
    for (const component of stopping) {
      try {
        await component.stop()
      } catch (error) {
        this.#log.error({ err: error, component: component.name }, 'component did not stop cleanly')
      }
    }
  }
}

/** Resolves with the name of the first SIGTERM or SIGINT; a second one ends the process at once. */
export function untilSignalled(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let seen = false
    const onSignal = (signal: NodeJS.Signals) => {
      if (seen) process.exit(1)
      seen = true
      resolve(signal)
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  })
}
