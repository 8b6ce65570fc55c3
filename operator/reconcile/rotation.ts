import { durationMs } from '../../common/duration.ts'
import { moment } from '../api/fields.ts'
import type { IssuedToken, Token } from '../api/token.ts'
import { expiryOf } from '../desired/state-document.ts'
import { annotationKeys } from '../naming/labels.ts'
import { wholeSeconds } from '../status/standing.ts'

/**
 * How the string of a Token is replaced while both are accepted. The new one is in status and at the nodes before the Secret
 * holds it, and the one before it has its end from when the Secret does: whoever reads the Secret within `overlap` is never
 * refused. Each step can be told from status and Secret, but for the new string itself: where the process that made it ended
 * before the Secret held it, nobody has it, and another one is made.
 */

/** As many as status holds. */
const aliveLimit = 16
const usualOverlap = '24h'

/** What the annotation asks for, null for nothing. @throws never: text that is no time is said by `rotationProblem` */
function askedMs({ metadata }: Token): number | null {
  const text = metadata.annotations?.[annotationKeys.rotate]
  const at = moment().safeParse(text).data
  const ms = at === undefined ? Number.NaN : Date.parse(at)
  return Number.isNaN(ms) ? null : ms
}

/** Why nobody knows when to rotate, null where all is known. */
export function rotationProblem(token: Token): string | null {
  if (token.metadata.annotations?.[annotationKeys.rotate] === undefined) return null
  if (token.spec.hash !== null)
    return `metadata.annotations["${annotationKeys.rotate}"]: a token with spec.hash is rotated where it is minted; take the annotation away`
  return askedMs(token) === null
    ? `metadata.annotations["${annotationKeys.rotate}"]: a time such as 2026-01-01T00:00:00Z expected`
    : null
}

/** When a string that was made then is to be replaced, milliseconds since the epoch, null for never. */
export function rotationDueMs(token: Token, createdAt: string): number | null {
  const madeMs = Date.parse(createdAt)
  const asked = askedMs(token)
  const due = [
    ...(token.spec.rotation ? [madeMs + durationMs(token.spec.rotation.every)] : []),
    ...(asked !== null && madeMs < asked ? [asked] : []),
  ]
  return due.length > 0 ? Math.min(...due) : null
}

/** The next moment at which a string of these is due, milliseconds since the epoch, Infinity for never. */
export function nextRotationMs(
  decisions: readonly { readonly token: Token; readonly tokens: readonly IssuedToken[] }[],
  nowMs: number,
): number {
  let nextMs = Infinity
  for (const { token, tokens } of decisions) {
    const [newest] = newestFirst(tokens)
    const dueMs = newest && token.spec.hash === null ? rotationDueMs(token, newest.createdAt) : null
    if (dueMs !== null && dueMs > nowMs) nextMs = Math.min(nextMs, dueMs)
  }
  return nextMs
}

/** Later than every string before, so that which came after which is never in doubt, and than what was asked for. */
export function nextCreatedAt(token: Token, known: readonly IssuedToken[], now: Date): string {
  const newestMs = Math.max(0, ...known.map(({ createdAt }) => Date.parse(createdAt)))
  const asked = askedMs(token) ?? 0
  const answersMs = asked <= now.getTime() ? Math.ceil(asked / 1_000) * 1_000 : 0
  return wholeSeconds(new Date(Math.max(now.getTime(), newestMs + 1_000, answersMs)))
}

/** Whether a string has an end of its own: another one took its place in the Secret. */
export function isSuperseded(token: Token, { expiresAt }: IssuedToken): boolean {
  const ownEnd = ownEndOf(token)
  return expiresAt !== null && (ownEnd === null || expiresAt < ownEnd)
}

/**
 * A string that another one has taken the place of in the Secret: it ends `overlap` after that, and not later than its Token,
 * or than it was to end already. What end it had before says nothing: its Token may live for longer since.
 */
export function superseded(token: Token, issued: IssuedToken, now: Date): IssuedToken {
  const lastMs = now.getTime() + durationMs(token.spec.rotation?.overlap ?? usualOverlap)
  const last = wholeSeconds(new Date(Math.min(lastMs, Date.parse('9999-12-31T23:59:59Z'))))
  const ends = [last, issued.expiresAt, ownEndOf(token)].filter((end) => end !== null)
  return { ...issued, expiresAt: ends.toSorted()[0] ?? last }
}

function ownEndOf(token: Token): string | null {
  const end = expiryOf(token)
  return end === null ? null : wholeSeconds(new Date(end))
}

/**
 * What stays beside a new string: all that have not ended, and of the others the newest there is room for.
 * @returns when there is room again, RFC 3339, where there is none
 */
export function besideNew(
  known: readonly IssuedToken[],
  now: Date,
): { readonly tokens: readonly IssuedToken[] } | { readonly waitsUntil: string | null } {
  const isAlive = ({ expiresAt }: IssuedToken): boolean =>
    expiresAt === null || Date.parse(expiresAt) > now.getTime()
  const alive = known.filter(isAlive)
  if (alive.length >= aliveLimit) {
    const ends = alive.flatMap(({ expiresAt }) => expiresAt ?? []).toSorted()
    return { waitsUntil: ends[0] ?? null }
  }
  const ended = newestFirst(known.filter((issued) => !isAlive(issued)))
  return { tokens: newestFirst([...alive, ...ended.slice(0, aliveLimit - 1 - alive.length)]) }
}

export function newestFirst(tokens: readonly IssuedToken[]): readonly IssuedToken[] {
  return tokens.toSorted((a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt))
}
