import { stripVTControlCharacters } from 'node:util'

/** What one run of vitest came to, from `test-reporter.ts` to `test.ts`. */
export interface TestReport {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly failures: readonly TestFailure[]
}

export interface TestFailure {
  /** From the root of the repository; empty for an error that belongs to no file. */
  readonly file: string
  /** Names of suites and test, outermost first; none for a file that could not be loaded. */
  readonly names: readonly string[]
  readonly errors: readonly FailureError[]
}

/** The part of vitest's errors that is shown. */
export interface FailureError {
  readonly message: string
  readonly diff?: string | undefined
  readonly stack?: string | undefined
  readonly cause?: FailureError | undefined
}

const shown = { failures: 20, lines: 12, lineCharacters: 240, causes: 3 }

/**
 * What a log's last lines should say of a layer that failed: every failure by its layer, file and name, with the first
 * lines of what it said. Bounded, and without the codes that colour a terminal.
 */
export function failureLines(layer: string, failures: readonly TestFailure[]): readonly string[] {
  const lines = failures.slice(0, shown.failures).flatMap(({ file, names, errors }) => [
    `FAILED ${[layer, file, ...names].filter((part) => part !== '').join(' > ')}`,
    ...errors
      .flatMap((error) => errorLines(error))
      .slice(0, shown.lines)
      .map((line) => `    ${line.slice(0, shown.lineCharacters)}`),
  ])
  const left = failures.length - shown.failures
  return left > 0 ? [...lines, `FAILED ${layer} > ${left} more`] : lines
}

/** The message and where it was thrown come before a diff, which may be long; a cause says what was waited for in vain. */
function errorLines(error: FailureError, depth = 0): readonly string[] {
  const { message, stack, cause, diff } = error
  const frame = textLines(stack).find(
    (line) => /^\s*at /.test(line) && !/node_modules|node:internal/.test(line),
  )
  return [
    ...textLines(message).slice(0, shown.lines / 2),
    ...(frame === undefined ? [] : [frame.trim()]),
    ...(cause && depth < shown.causes ? errorLines(cause, depth + 1).map((line) => `cause: ${line}`) : []),
    ...textLines(diff),
  ]
}

const textLines = (text = ''): readonly string[] =>
  stripVTControlCharacters(text)
    .split('\n')
    .filter((line) => line.trim() !== '')
