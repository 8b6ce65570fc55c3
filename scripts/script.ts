import { AppError } from '../common/errors.ts'
import { spanOf, type Progress } from './run.ts'

/** Runs a script to its end. What it could not do is said in a sentence; a stack is only for what nobody foresaw. */
export async function script(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    console.error(error instanceof AppError ? `\n${error.message}` : error)
    process.exitCode = 1
  }
}

/** Progress on standard output, each line with the time since this call. */
export function timedProgress(): Progress {
  const startedMs = performance.now()
  return (line) => console.log(`[${spanOf(performance.now() - startedMs).padStart(11)}] ${line}`)
}
