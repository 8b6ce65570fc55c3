/**
 * What a caller would do differently about a failure. Status codes and body shapes are decided elsewhere, in one
 * file per HTTP dialect.
 */
export type ErrorKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'too-large'
  | 'too-many-requests'
  | 'unavailable'
  | 'unsupported'
  | 'corrupt'
  | 'internal'

/**
 * The one error class of Holdfast.
 *
 * `code` is stable API (`ERR_<AREA>_<WHAT>`); `message` is for people, names the field or line and what would be
 * accepted, and never holds a secret; `details` are facts for the log.
 */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly kind: ErrorKind
  readonly code: `ERR_${string}`
  readonly details: Readonly<Record<string, unknown>>

  constructor(
    kind: ErrorKind,
    code: `ERR_${string}`,
    message: string,
    options: { readonly cause?: unknown; readonly details?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.kind = kind
    this.code = code
    this.details = options.details ?? {}
  }
}

/** Our own bug: state that must not be. In the write path it ends the process rather than go on with unknown state. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

/** @throws AssertionError if `condition` does not hold */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message)
}

/** Ends a `switch` over a union: a new member that nobody handles does not compile. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`)
}

/** The text of anything thrown, for logs and messages. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
