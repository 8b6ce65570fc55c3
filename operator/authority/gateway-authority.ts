import type { Clock } from '../../common/clock.ts'
import { messageOf } from '../../common/errors.ts'
import type { Component } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/log.ts'
import { authorityKey } from './secrets.ts'

const absentMs = 60_000
const presentMs = 3_600_000

export interface GatewayAuthorityOptions {
  /** The values of the Secret beside the gateway's certificate, null if there is none. */
  readonly read: () => Promise<Readonly<Record<string, string>> | null>
  readonly clock: Clock
  readonly log: Logger
}

/**
 * The authority that a platform has put beside the gateway's certificate of its own. Whoever makes the Secret may do
 * so long after the operator has started, and renews it, so it is read again: every minute while it is not there,
 * hourly otherwise. What was there stays in force until something else is.
 */
export class GatewayAuthority implements Component {
  readonly name = 'gateway authority'
  readonly #options: GatewayAuthorityOptions
  readonly #stopping = new AbortController()
  #current: string | null = null
  #running: Promise<void> = Promise.resolve()

  constructor(options: GatewayAuthorityOptions) {
    this.#options = options
  }

  /** PEM that clients must trust, null for none of ours. */
  get current(): string | null {
    return this.#current
  }

  async start(): Promise<void> {
    this.#running = this.#run(await this.#look())
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(firstMs: number): Promise<void> {
    const { clock } = this.#options
    for (let waitMs = firstMs; !this.#stopping.signal.aborted; waitMs = await this.#look()) {
      await clock.sleep(waitMs, this.#stopping.signal).catch(() => undefined)
      if (this.#stopping.signal.aborted) return
    }
  }

  /** @returns when to look again, milliseconds */
  async #look(): Promise<number> {
    const { read, log } = this.#options
    try {
      const values = await read()
      if (values === null) return absentMs
      this.#current = values[authorityKey] ?? null
      return this.#current === null ? absentMs : presentMs
    } catch (error) {
      log.warn({ reason: messageOf(error) }, 'gateway authority not read')
      return absentMs
    }
  }
}
