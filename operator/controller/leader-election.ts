import type { Clock } from '../../common/clock.ts'
import { AppError, messageOf } from '../../common/errors.ts'
import type { Component } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/log.ts'
import type { Fence, KubeClient } from '../kube/client.ts'
import type { KubeObject } from '../kube/object.ts'
import type { Resource } from '../kube/resource.ts'
import { microTime } from './micro-time.ts'

export interface LeaderElectionOptions {
  /** Without a fence: the lease is what makes the fence. */
  readonly client: KubeClient
  readonly clock: Clock
  readonly log: Logger
  /** Leases. */
  readonly resource: Resource
  readonly namespace: string
  readonly leaseName: string
  /** The pod's name and something random, so that a restarted pod is not taken for the one before it. */
  readonly identity: string
  /** Must end the process: what runs in it was decided as a leader. Called once at most. */
  readonly onLost: (reason: string) => void
}

/** After this long without a change another may take the lease. */
export const leaseMs = 15_000
/** After this long without a renewal the leader counts itself out, well before another can come in. */
export const renewDeadlineMs = 10_000
export const retryMs = 2_000
const attemptMs = 5_000

/** What a Lease says, and since when we know it. */
interface Sighting {
  readonly lease: KubeObject
  readonly sinceMs: number
}

/**
 * One leader at a time, by a Lease that is written with the resource version that was read.
 *
 * Being leader is a span of our own time: `renewDeadlineMs` from the moment at which the last successful renewal was
 * sent. Others wait `leaseMs` from when they saw it. A process that is stopped and goes on wakes up behind its span,
 * and `fence` refuses each write before anything else has run.
 */
export class LeaderElection implements Component {
  readonly name = 'leader election'
  readonly #options: LeaderElectionOptions
  readonly #stopping = new AbortController()
  readonly #reached = Promise.withResolvers<void>()
  readonly #leading = Promise.withResolvers<void>()
  #running: Promise<void> = Promise.resolve()
  #sighting: Sighting | undefined
  /** When the last successful renewal was sent, by both clocks. */
  #renewed: { readonly monotonicMs: number; readonly wallMs: number } | undefined

  constructor(options: LeaderElectionOptions) {
    this.#options = options
    this.#reached.promise.catch(() => undefined)
    this.#leading.promise.catch(() => undefined)
  }

  /** Whether this process may write now. */
  get held(): boolean {
    const { clock } = this.#options
    if (!this.#renewed) return false
    // The wall clock also counts while a virtual machine is paused; a step of it costs two seconds without writes.
    const agesMs = [clock.monotonicMs() - this.#renewed.monotonicMs, clock.nowMs() - this.#renewed.wallMs]
    return Math.max(...agesMs) < renewDeadlineMs
  }

  /** For `KubeClient.with({ fence })`. @throws AppError unavailable, ERR_KUBE_FENCED */
  readonly fence: Fence = () => {
    if (this.held) return
    throw new AppError('unavailable', 'ERR_KUBE_FENCED', 'nothing is written: this process is not the leader')
  }

  /** Resolves when the Lease has been read or written, which is what readiness means for a stand-by. */
  start(): Promise<void> {
    this.#running = this.#run(this.#stopping.signal)
    return this.#reached.promise
  }

  /** Resolves when this process is the leader; rejects if it is stopped before. */
  untilLeading(): Promise<void> {
    return this.#leading.promise
  }

  /** Gives the lease back, so that the next leader need not wait. Everything that writes must have stopped. */
  async stop(): Promise<void> {
    const stopped = new AppError('unavailable', 'ERR_LEADER_ELECTION_STOPPED', 'leader election was stopped')
    this.#stopping.abort(stopped)
    this.#reached.reject(stopped)
    this.#leading.reject(stopped)
    await this.#running
    const wasHeld = this.held
    this.#renewed = undefined
    if (wasHeld) await this.#release()
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const wasLeading = this.#renewed !== undefined
      const lost = await this.#round(signal)
      if (signal.aborted) return
      if (wasLeading && lost !== null) {
        this.#renewed = undefined
        this.#options.log.error({ reason: lost }, 'leadership lost')
        this.#options.onLost(lost)
        return
      }
      await this.#options.clock.sleep(retryMs, signal).catch(() => undefined)
    }
  }

  /** @returns why a leader is none any more, or null */
  async #round(signal: AbortSignal): Promise<string | null> {
    const { clock, log } = this.#options
    const leftMs = this.#renewed
      ? this.#renewed.monotonicMs + renewDeadlineMs - clock.monotonicMs()
      : Number.POSITIVE_INFINITY
    if (leftMs <= 0) return 'the lease was not renewed in time'
    const limit = new AbortController()
    const timer = clock
      .sleep(Math.min(attemptMs, leftMs), limit.signal)
      .then(() => limit.abort(new AppError('unavailable', 'ERR_LEASE_TIMEOUT', 'no answer in time')))
      .catch(() => undefined)
    try {
      const client = this.#options.client.with({
        priority: 'lease',
        signal: AbortSignal.any([signal, limit.signal]),
      })
      const holder = await this.#claim(client)
      this.#reached.resolve()
      return holder === this.#options.identity ? null : `the lease is held by ${holder}`
    } catch (error) {
      if (!signal.aborted) log.warn({ err: messageOf(error) }, 'lease request failed')
      const expired = this.#renewed && clock.monotonicMs() - this.#renewed.monotonicMs >= renewDeadlineMs
      return expired ? 'the lease was not renewed in time' : null
    } finally {
      limit.abort()
      await timer
    }
  }

  /** @returns who holds the lease now */
  async #claim(client: KubeClient): Promise<string> {
    if (this.#renewed && this.#sighting) {
      try {
        return await this.#write(client, this.#sighting.lease)
      } catch (error) {
        // Our own earlier write may have arrived without its answer, or somebody has put a label on it.
        if (!isOutdated(error)) throw error
      }
    }
    const { resource, namespace, leaseName } = this.#options
    const lease = await client.get(resource, { namespace, name: leaseName })
    if (!lease) return this.#write(client, undefined)
    this.#see(lease)
    const holder = holderOf(lease)
    if (holder !== this.#options.identity && !this.#isFree(lease)) return holder
    try {
      return await this.#write(client, lease)
    } catch (error) {
      if (!isOutdated(error)) throw error
      return 'another candidate'
    }
  }

  /** Writes the lease as ours: new, or over exactly what was read. */
  async #write(client: KubeClient, over: KubeObject | undefined): Promise<string> {
    const { clock, identity, log } = this.#options
    const sent = { monotonicMs: clock.monotonicMs(), wallMs: clock.nowMs() }
    const next = this.#nextLease(over)
    const written = over ? await client.replace(next) : await client.create(next)
    const gained = this.#renewed === undefined
    this.#renewed = sent
    this.#see(written)
    if (gained) log.info({ identity }, 'leadership gained')
    this.#leading.resolve()
    return identity
  }

  #nextLease(over: KubeObject | undefined): KubeObject {
    const { clock, identity, resource, namespace, leaseName } = this.#options
    const now = microTime(clock.nowNs())
    const before = specOf(over)
    const ours = before['holderIdentity'] === identity
    const transitions = typeof before['leaseTransitions'] === 'number' ? before['leaseTransitions'] : 0
    return {
      apiVersion: `${resource.group}/${resource.version}`,
      kind: resource.kind,
      metadata: over?.metadata ?? { name: leaseName, namespace },
      spec: {
        ...before,
        holderIdentity: identity,
        leaseDurationSeconds: leaseMs / 1_000,
        acquireTime: ours ? before['acquireTime'] : now,
        renewTime: now,
        leaseTransitions: over && !ours ? transitions + 1 : transitions,
      },
    }
  }

  /** Starts the wait anew whenever the lease has changed; clocks of other machines are never compared with ours. */
  #see(lease: KubeObject): void {
    const before = this.#sighting?.lease.metadata
    const { uid, resourceVersion } = lease.metadata
    if (before?.uid === uid && before?.resourceVersion === resourceVersion) return
    this.#sighting = { lease, sinceMs: this.#options.clock.monotonicMs() }
  }

  #isFree(lease: KubeObject): boolean {
    if (holderOf(lease) === '') return true
    const seconds = specOf(lease)['leaseDurationSeconds']
    const durationMs = Math.max(leaseMs, typeof seconds === 'number' ? seconds * 1_000 : 0)
    return this.#options.clock.monotonicMs() - (this.#sighting?.sinceMs ?? 0) >= durationMs
  }

  async #release(): Promise<void> {
    const { client, clock, log } = this.#options
    const lease = this.#sighting?.lease
    if (!lease) return
    const limit = new AbortController()
    const timer = clock
      .sleep(retryMs, limit.signal)
      .then(() => limit.abort(new AppError('unavailable', 'ERR_LEASE_TIMEOUT', 'no answer in time')))
      .catch(() => undefined)
    try {
      const spec = { ...specOf(lease), holderIdentity: '', renewTime: microTime(clock.nowNs()) }
      await client.with({ priority: 'lease', signal: limit.signal }).replace({ ...lease, spec })
    } catch (error) {
      log.warn({ err: messageOf(error) }, 'lease was not given back')
    } finally {
      limit.abort()
      await timer
    }
  }
}

function specOf(lease: KubeObject | undefined): Readonly<Record<string, unknown>> {
  const spec = lease?.['spec']
  return typeof spec === 'object' && spec !== null ? (spec as Readonly<Record<string, unknown>>) : {}
}

function holderOf(lease: KubeObject): string {
  const holder = specOf(lease)['holderIdentity']
  return typeof holder === 'string' ? holder : ''
}

function isOutdated(error: unknown): boolean {
  return error instanceof AppError && (error.kind === 'conflict' || error.kind === 'not-found')
}
