import { randomBytes } from 'node:crypto'
import { writeSync } from 'node:fs'
import { AuditChain } from './audit-chain.ts'
import type { Clock } from './clock.ts'
import { messageOf } from './errors.ts'
import type { Logger } from './log.ts'

/** What an audit line can be about. All unions here are closed: a name keeps its meaning. */
export const auditEvents = {
  authentication: 'Who sent a request: one line for each, at the decision, before the work; none for probes.',
  authorization: 'A request of somebody who is known was denied what it asked for.',
  operator: 'What the operator did or saw.',
} as const

export const auditActions = {
  'v1.write': '`POST /write`',
  'v1.query': '`GET` and `POST /query`',
  'v2.write': '`POST /api/v2/write`',
  'v2.delete': '`POST /api/v2/delete`',
  ping: '`/ping`, by a method that it does not have',
  health: '`/health`, by a method that it does not have',
  ready: '`/ready`, by a method that it does not have',
  unknown: 'a path that nobody serves, which may be a secret in the wrong place and is in no line',
  anchor: 'how far the stream of another process had come: what is missing behind its end is missed',
} as const

export const auditOutcomes = ['allowed', 'denied', 'done'] as const

export const auditReasons = {
  'no-credential': 'The request has none.',
  'malformed-credential': 'What it has cannot be a token.',
  'contradicting-credentials': 'It has more than one token.',
  'other-organization': 'Its token is of another organization.',
  'unknown-token': 'No such token, or one that was revoked.',
  'expired-token': 'The token has run out.',
  'direct-access-closed': 'It did not come through the gateway.',
  'read-not-permitted': 'A statement reads what the caller may not read.',
  'write-not-permitted': 'A write, or a statement that writes, where the caller may not.',
  'admin-not-permitted': 'A statement that needs rights to manage.',
} as const

export type AuditReason = keyof typeof auditReasons

export const auditWhos = {
  token: 'Who has the token `id`.',
  everybody: 'A node that asks for no credentials.',
  nobody: 'It is not known who.',
  operator: 'The operator.',
} as const

export type AuditWho =
  | { readonly kind: 'token'; readonly id: string }
  | { readonly kind: Exclude<keyof typeof auditWhos, 'token'> }

export interface AuditEvent {
  readonly event: keyof typeof auditEvents
  readonly action: keyof typeof auditActions
  readonly outcome: (typeof auditOutcomes)[number]
  /** Of a denial. */
  readonly reason?: AuditReason
  readonly who: AuditWho
  /** The id of what it was done to. */
  readonly target?: string
  readonly requestId?: string
  /** The address that a request came from. */
  readonly source?: string
  /** Of the action `anchor`: a line of another stream. */
  readonly anchor?: { readonly stream: string; readonly seq: number; readonly mac: string }
}

export interface Audit {
  /** Never throws, and waits for nothing but the write itself. */
  write(event: AuditEvent): void
}

/** Where no key is configured. */
export const silentAudit: Audit = { write: () => undefined }

export interface AuditSettings {
  readonly program: string
  readonly organizationId: string | null
  /** X25519, 32 bytes. */
  readonly publicKey: Uint8Array
  readonly clock: Clock
  /** Takes whole lines. @throws if they are lost */
  readonly output: (lines: string) => void
  readonly log: Logger
}

const tellEveryMs = 60_000

/**
 * A stream of this process, which begins with its header at once. A line that cannot be written is lost, and the hole is
 * found by whoever verifies: requests go on. The log says so once a minute at most.
 */
export function createAudit({ clock, output, log, publicKey, ...origin }: AuditSettings): Audit {
  const chain = new AuditChain({ stream: randomBytes(8).toString('hex'), ...origin }, publicKey)
  let lost = 0
  let toldMs = -Infinity
  const put = (make: () => string): void => {
    try {
      output(make())
    } catch (error) {
      lost += 1
      const nowMs = clock.monotonicMs()
      if (nowMs - toldMs < tellEveryMs) return
      log.error({ reason: messageOf(error), lost }, 'audit lines are lost')
      toldMs = nowMs
      lost = 0
    }
  }
  put(() => chain.header(clock.nowMs(), clock.monotonicMs()))
  return { write: (event) => put(() => chain.line(event, clock.nowMs(), clock.monotonicMs())) }
}

const standardError = 2
const retryMs = 5
const giveUpMs = 1_000
/** Nobody empties it: until something gets through again, no line waits. */
let isStuck = false

/**
 * Writes to standard error and returns when the system has it: a line of a decision is never only in memory. Of a pipe
 * that somebody made non-blocking and nobody empties, it gives up after a second, and then at once until there is room.
 * @throws what the system says
 */
export function writeToStandardError(lines: string): void {
  const bytes = Buffer.from(lines)
  for (let done = 0, waitedMs = 0; done < bytes.length;) {
    try {
      done += writeSync(standardError, bytes, done)
      isStuck = false
    } catch (error) {
      const isFull = error instanceof Error && 'code' in error && error.code === 'EAGAIN'
      if (!isFull || isStuck || waitedMs >= giveUpMs) {
        isStuck = isFull
        throw error
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, retryMs)
      waitedMs += retryMs
    }
  }
}
