import type { Clock } from '../common/clock.ts'
import type { WakeState } from '../common/wake-api.ts'

/** What the operator says of an organization to somebody with a token. `busy`: it says nothing just now. */
export type DoorAnswer = WakeState | 'denied' | 'busy'

/**
 * Asks the operator for an organization, which wakes if the token is valid.
 * @throws Error when no operator answers
 */
export type AskDoor = (organizationId: string, token: string, signal: AbortSignal) => Promise<DoorAnswer>

export interface HoldLimits {
  /** Longest time that a request waits for its organization to wake. */
  readonly holdMs: number
  /** Requests that wait at one time, in all and of one organization. */
  readonly requests: number
  readonly requestsPerOrganization: number
}

export const defaultHoldLimits: HoldLimits = { holdMs: 10_000, requests: 1_000, requestsPerOrganization: 250 }

/** How the wait for an organization ended. `late`: it still wakes. `silent`: no operator has said anything of it. */
export type HoldEnd =
  | { readonly end: 'awake'; readonly hasWoken: boolean }
  | { readonly end: 'asleep' | 'denied' | 'late' | 'silent' | 'full' }

/** Who asks for what. */
export interface Caller {
  readonly organizationId: string
  readonly token: string
  /** Stands for the token; it cannot be turned back into it. */
  readonly credentialKey: string
}

interface Vigil {
  readonly organizationId: string
  readonly end: Promise<HoldEnd>
  readonly stop: AbortController
  hasWoken: boolean
  waiting: number
}

const askEveryMs = 250
/** Without a word of the operator for so long there is none: longer waits are for what is known to wake. */
const silenceMs = 1_000

/**
 * Requests that wait for an organization to wake. All with one token wait for the same vigil, which asks the operator
 * again and again; what a wrong token asks for is denied at its first question and holds no place.
 */
export class Holds {
  readonly #ask: AskDoor
  readonly #limits: HoldLimits
  readonly #clock: Clock
  readonly #vigils = new Map<string, Vigil>()
  #waiting = 0

  constructor(ask: AskDoor, limits: HoldLimits, clock: Clock) {
    this.#ask = ask
    this.#limits = limits
    this.#clock = clock
  }

  get limits(): HoldLimits {
    return this.#limits
  }

  /** Requests that wait now. */
  get waiting(): number {
    return this.#waiting
  }

  /** Whether an organization is on its way to wake, as far as is known here. */
  isWaking(organizationId: string): boolean {
    return this.#of(organizationId).some(({ hasWoken }) => hasWoken)
  }

  /**
   * Resolves when the organization is awake, or is not to be, or the time is over.
   * @param signal of the one who waits: its time, or that it has gone
   */
  async until(caller: Caller, signal: AbortSignal): Promise<HoldEnd> {
    const { requests, requestsPerOrganization } = this.#limits
    const ofOrganization = this.#of(caller.organizationId).reduce((sum, { waiting }) => sum + waiting, 0)
    if (this.#waiting >= requests || ofOrganization >= requestsPerOrganization) return { end: 'full' }
    const vigil = this.#vigils.get(caller.credentialKey) ?? this.#begin(caller)
    vigil.waiting += 1
    this.#waiting += 1
    try {
      return await Promise.race([vigil.end, aborted(signal)])
    } finally {
      this.#waiting -= 1
      vigil.waiting -= 1
      if (vigil.waiting === 0) vigil.stop.abort()
    }
  }

  #of(organizationId: string): readonly Vigil[] {
    return [...this.#vigils.values()].filter((vigil) => vigil.organizationId === organizationId)
  }

  #begin(caller: Caller): Vigil {
    const stop = new AbortController()
    const { promise, resolve } = Promise.withResolvers<HoldEnd>()
    const { organizationId, credentialKey } = caller
    const vigil: Vigil = { organizationId, end: promise, stop, hasWoken: false, waiting: 0 }
    this.#vigils.set(credentialKey, vigil)
    const forget = () => {
      if (this.#vigils.get(credentialKey) === vigil) this.#vigils.delete(credentialKey)
    }
    stop.signal.addEventListener('abort', forget, { once: true })
    void this.#watch(caller, vigil).then((end) => {
      forget()
      resolve(end)
    })
    return vigil
  }

  async #watch({ organizationId, token }: Caller, vigil: Vigil): Promise<HoldEnd> {
    const { signal } = vigil.stop
    const beganMs = this.#clock.monotonicMs()
    while (!signal.aborted) {
      const answer = await this.#ask(organizationId, token, signal).catch(() => null)
      if (answer === 'awake') return { end: 'awake', hasWoken: vigil.hasWoken }
      if (answer === 'asleep' || answer === 'denied') return { end: answer }
      if (answer === 'waking') vigil.hasWoken = true
      const isSilent = (answer === null || answer === 'busy') && !vigil.hasWoken
      if (isSilent && this.#clock.monotonicMs() - beganMs >= silenceMs) return { end: 'silent' }
      await this.#clock.sleep(askEveryMs, signal).catch(() => undefined)
    }
    return { end: 'late' }
  }
}

function aborted(signal: AbortSignal): Promise<HoldEnd> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve({ end: 'late' })
    signal.addEventListener('abort', () => resolve({ end: 'late' }), { once: true })
  })
}
