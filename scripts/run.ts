import { spawn } from 'node:child_process'
import { AppError } from '../common/errors.ts'

/** Tells a waiting person what is going on, a line at a time. */
export type Progress = (line: string) => void

export const progressOnStderr: Progress = (line) => {
  process.stderr.write(`${line}\n`)
}

export interface RunOptions {
  readonly cwd?: string
  /** Added to this process's environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly input?: string | Uint8Array
  /** After which the command is killed and the call fails. Default: an hour. */
  readonly timeoutMs?: number
  /** What is being done: shown on standard error at the start and, with the time so far, every half minute. */
  readonly progress?: string
  /** Where `progress` goes, if not to standard error. */
  readonly report?: Progress
  readonly signal?: AbortSignal
}

const DEFAULT_TIMEOUT_MS = 60 * 60_000
const PROGRESS_MS = 30_000
const MAX_STDOUT_BYTES = 256 * 1024 * 1024
const KEPT_STDERR_BYTES = 64 * 1024
const SHOWN_LINES = 20

/**
 * Runs a command to its end, with nothing on its standard input unless `input` is given.
 *
 * @returns what it wrote to standard output
 * @throws AppError ERR_SCRIPT_COMMAND if it cannot be started, exits other than 0, is killed, runs past its time or
 * writes more than 256 MiB; the message ends with the last lines of its standard error
 */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const startedMs = performance.now()
  const report = options.report ?? progressOnStderr
  const heartbeat = setInterval(() => {
    if (options.progress !== undefined)
      report(`${options.progress} (${spanOf(performance.now() - startedMs)})`)
  }, PROGRESS_MS)
  if (options.progress !== undefined) report(options.progress)
  try {
    return await finished(command, args, options)
  } finally {
    clearInterval(heartbeat)
  }
}

/** Like `run`, for a question that may be answered by failing: undefined instead of an error. */
export async function tryRun(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string | undefined> {
  try {
    return await run(command, args, options)
  } catch {
    return undefined
  }
}

function finished(command: string, args: readonly string[], options: RunOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const timeout = AbortSignal.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS)
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      signal: options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]),
      killSignal: 'SIGKILL',
    })
    const stdout: Buffer[] = []
    let stdoutBytes = 0
    let stderr = ''
    const fail = (what: string, cause?: unknown) =>
      reject(commandError({ command, args, what, stderr, cause }))
    child.stdout.on('data', (chunk: Buffer) => {
      stdoutBytes += chunk.byteLength
      if (stdoutBytes <= MAX_STDOUT_BYTES) stdout.push(chunk)
      else child.kill('SIGKILL')
    })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr = (stderr + chunk).slice(-KEPT_STDERR_BYTES)
    })
    child.on('error', (error) => {
      if (timeout.aborted) fail('ran past its time')
      else fail(error.name === 'AbortError' ? 'was called off' : `could not be run: ${error.message}`, error)
    })
    child.on('close', (code, signal) => {
      if (stdoutBytes > MAX_STDOUT_BYTES) fail('wrote more than 256 MiB')
      else if (code === 0) resolve(Buffer.concat(stdout).toString())
      else fail(signal === null ? `exited with ${code}` : `was ended by ${signal}`)
    })
    // A command that never reads its input closes the pipe: its exit says whether that was an error.
    child.stdin.on('error', () => {})
    child.stdin.end(options.input)
  })
}

function commandError(failure: {
  readonly command: string
  readonly args: readonly string[]
  readonly what: string
  readonly stderr: string
  readonly cause: unknown
}): AppError {
  const line = [failure.command, ...failure.args].join(' ')
  const shown = line.length > 300 ? `${line.slice(0, 300)}…` : line
  const tail = failure.stderr.trim().split('\n').slice(-SHOWN_LINES).join('\n')
  return new AppError(
    'internal',
    'ERR_SCRIPT_COMMAND',
    `${shown} ${failure.what}${tail === '' ? '' : `:\n${tail}`}`,
    { cause: failure.cause },
  )
}

/** `75_000` as `1 min 15 s`. */
export function spanOf(ms: number): string {
  const seconds = Math.round(ms / 1000)
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}
