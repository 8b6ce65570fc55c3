import { pino, type DestinationStream, type Logger } from 'pino'

export type { Logger }

/** Keys whose values never reach a log line, at any of the first three depths. */
const secretKeys = [
  'authorization',
  'token',
  'password',
  'secret',
  'key',
  'cookie',
  'p',
  'privateKey',
  'dataKey',
]

/**
 * One JSON line per event on standard output. The message is a constant lower-case phrase, facts are fields, an
 * error stands under `err`. error = someone must act, warn = degraded but serving, info = state changed.
 */
export function createLogger(
  program: string,
  options: { readonly level?: string; readonly destination?: DestinationStream } = {},
): Logger {
  const settings = {
    level: options.level ?? 'info',
    base: { program },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: secretKeys.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: '[redacted]' },
  }
  return options.destination ? pino(settings, options.destination) : pino(settings)
}

/** For tests: a logger that says nothing. */
export const silentLogger: Logger = pino({ level: 'silent' })
