import { BlockList, isIP } from 'node:net'
import * as z from 'zod'
import type { Clock } from './clock.ts'
import { AppError } from './errors.ts'

/**
 * Attempts to reach addresses, for the proof that closed paths are closed: the operator asks a storage node or the
 * isolation probe to try some, and each says of each no more than what became of it. Nothing that the caller chooses is
 * ever sent: a connection is opened and closed, and of DNS one fixed question is asked.
 *
 * `POST /admin/attempts` of a storage node and `POST /attempts` of the probe take `{"attempts": [Attempt, …]}` and answer
 * 200 `{"control": Outcome, "outcomes": [Outcome, …]}`: what became of a connection to a port of its own, which shows that it
 * can open any, and of the attempts in their order. 400 for any other body, 429 when asked too often.
 */
export const attemptLimits = {
  /** Of one request. */
  attempts: 16,
  /** A lost first packet is sent again after a second. */
  timeoutMs: 1_500,
  bodyBytes: 4_096,
} as const

/** Port of the isolation probe for the operator, over TLS with identities at both ends. */
export const probePort = 8443
/** Port of the isolation probe that takes connections from anybody and closes them: something that can be reached. */
export const openPort = 8080

/** Own addresses say nothing of a network, and a group of receivers nothing of a path. */
const refused = new BlockList()
refused.addSubnet('0.0.0.0', 8, 'ipv4')
refused.addSubnet('127.0.0.0', 8, 'ipv4')
refused.addSubnet('224.0.0.0', 3, 'ipv4')
refused.addAddress('::', 'ipv6')
refused.addAddress('::1', 'ipv6')
refused.addSubnet('ff00::', 8, 'ipv6')

/** Whether an attempt may go there. @param address any text */
export function mayBeTried(address: string): boolean {
  const family = isIP(address)
  return family !== 0 && !refused.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

const attemptSchema = z.strictObject({
  protocol: z.enum(['tcp', 'dns']),
  address: z.string().max(45).refine(mayBeTried, 'an address of another machine expected'),
  port: z.int().min(1).max(65_535),
})

export const attemptsSchema = z.strictObject({
  attempts: z.array(attemptSchema).min(1).max(attemptLimits.attempts),
})

/** tcp: a connection is opened and closed. dns: one fixed name of the cluster is asked for, over UDP. */
export type Attempt = z.infer<typeof attemptSchema>

const outcome = z.enum(['connected', 'refused', 'silent'])

export const outcomesSchema = z.object({
  control: outcome,
  outcomes: z.array(outcome).max(attemptLimits.attempts),
})

/** connected: something answered as it should. refused: a packet said no. silent: nothing came back in time. */
export type Outcome = z.infer<typeof outcome>
export type Outcomes = Readonly<z.infer<typeof outcomesSchema>>

/** One attempt, with its own end in time. Never throws. */
export type Reach = (attempt: Attempt, signal?: AbortSignal) => Promise<Outcome>

export interface AttemptBounds {
  /** Requests at the same time. */
  readonly atOnce: number
  /** Between the begins of two requests. */
  readonly pauseMs: number
}

/** Makes attempts for a caller whose identity was checked, within bounds: nobody scans a network with it. */
export class Attempts {
  readonly #reach: Reach
  readonly #ownPort: () => number
  readonly #bounds: AttemptBounds
  readonly #clock: Clock
  #running = 0
  #begunMs = Number.NEGATIVE_INFINITY

  /** @param options.ownPort a TCP port of this process that listens on loopback too */
  constructor(options: {
    readonly reach: Reach
    readonly ownPort: () => number
    readonly bounds: AttemptBounds
    readonly clock: Clock
  }) {
    this.#reach = options.reach
    this.#ownPort = options.ownPort
    this.#bounds = options.bounds
    this.#clock = options.clock
  }

  /**
   * @param text the body as it came
   * @throws AppError invalid, ERR_ATTEMPTS; too-many-requests, ERR_ATTEMPTS_BUSY
   */
  async make(text: string): Promise<Outcomes> {
    const attempts = attemptsOf(text)
    const nowMs = this.#clock.monotonicMs()
    if (this.#running >= this.#bounds.atOnce || nowMs - this.#begunMs < this.#bounds.pauseMs) {
      throw new AppError('too-many-requests', 'ERR_ATTEMPTS_BUSY', 'asked for attempts too often')
    }
    this.#begunMs = nowMs
    this.#running += 1
    try {
      const own = { protocol: 'tcp', address: '127.0.0.1', port: this.#ownPort() } as const
      const [control, ...outcomes] = await Promise.all([own, ...attempts].map((one) => this.#reach(one)))
      return { control: control!, outcomes }
    } finally {
      this.#running -= 1
    }
  }
}

function attemptsOf(text: string): readonly Attempt[] {
  const parsed = attemptsSchema.safeParse(jsonOf(text))
  if (parsed.success) return parsed.data.attempts
  const [issue] = parsed.error.issues
  throw new AppError('invalid', 'ERR_ATTEMPTS', `${issue?.path.join('.')}: ${issue?.message}`)
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
