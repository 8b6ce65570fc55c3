import type { Clock } from '../../common/clock.ts'
import { messageOf } from '../../common/errors.ts'
import type { Component } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/log.ts'
import { compile } from './compile.ts'
import type { Firewall } from './firewall.ts'
import { addressedPods } from './pods.ts'
import type { World } from './resources.ts'

export interface EnforcerOptions {
  /** What the caches know now. */
  readonly read: () => World
  /** Resolves when the caches know every policy that is older than the pods they know now. */
  readonly catchUp: () => Promise<void>
  readonly firewall: Firewall
  readonly clock: Clock
  readonly log: Logger
}

/** Changes that come within this time of the first go into one ruleset. */
const settleMs = 50
/** How often the table is looked for, should somebody have flushed it. */
const checkMs = 10_000
const retryMs = 1_000

/**
 * Keeps the firewall saying what the cluster's policies say. Whatever fails, the rules in force stay; as those close
 * every address that they do not know, a failure never opens anything.
 */
export class Enforcer implements Component {
  readonly name = 'network policy enforcer'
  readonly #options: EnforcerOptions
  readonly #stopping = new AbortController()
  #change = Promise.withResolvers<void>()
  #applied = ''
  #admitted: ReadonlySet<string> = new Set()
  #running: Promise<void> = Promise.resolve()

  constructor(options: EnforcerOptions) {
    this.#options = options
  }

  /** Says that `read` may have another answer now. */
  changed(): void {
    this.#change.resolve()
  }

  /** Resolves once the policies are in force. */
  async start(): Promise<void> {
    const first = Promise.withResolvers<void>()
    this.#running = this.#run(this.#stopping.signal, first.resolve)
    await Promise.race([first.promise, this.#running])
    this.#stopping.signal.throwIfAborted()
  }

  /** The rules stay in force. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the enforcer was stopped'))
    await this.#running
  }

  async #run(signal: AbortSignal, onEnforced: () => void): Promise<void> {
    const { clock, firewall, log } = this.#options
    while (!signal.aborted) {
      this.#change = Promise.withResolvers()
      let waitMs = checkMs
      try {
        await this.#enforce()
        onEnforced()
      } catch (error) {
        log.error({ err: messageOf(error), retryMs }, 'policies are not in force')
        waitMs = retryMs
      }
      if (await this.#changedWithin(waitMs, signal)) await quietly(clock.sleep(settleMs, signal))
      else if (!signal.aborted && !(await firewall.present())) this.#applied = ''
    }
  }

  async #enforce(): Promise<void> {
    const { read, catchUp, firewall, clock, log } = this.#options
    const startedMs = clock.monotonicMs()
    let world = read()
    const pods = podKeys(world)
    // The watches run side by side: that of the pods may be ahead of that of the policies that were there before them.
    if ([...pods].some((pod) => !this.#admitted.has(pod))) {
      await catchUp()
      world = { ...read(), pods: world.pods }
    }
    const ruleset = compile(world)
    if (ruleset !== this.#applied) {
      await firewall.apply(ruleset)
      this.#applied = ruleset
      const tookMs = Math.round(clock.monotonicMs() - startedMs)
      log.info({ pods: pods.size, policies: world.policies.length, tookMs }, 'policies put in force')
    }
    this.#admitted = pods
  }

  /** @returns whether something changed before the time was over */
  async #changedWithin(ms: number, signal: AbortSignal): Promise<boolean> {
    const timer = new AbortController()
    const elapsed = quietly(this.#options.clock.sleep(ms, AbortSignal.any([signal, timer.signal])))
    const changed = await Promise.race([this.#change.promise.then(() => true), elapsed.then(() => false)])
    timer.abort()
    return changed
  }
}

/** The pods whose addresses a ruleset opens. A name that is given to another pod is another key with its new address. */
function podKeys({ pods }: World): ReadonlySet<string> {
  return new Set(addressedPods(pods).map(({ namespace, name, address }) => `${namespace}/${name} ${address}`))
}

const quietly = (promise: Promise<void>): Promise<void> => promise.catch(() => undefined)
