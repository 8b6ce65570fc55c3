import type { Clock } from '../../common/clock.ts'

/** How long one piece of work may keep everything else waiting. */
const turnMs = 10

/**
 * Shares the one thread of the process: work that goes on and on calls this between its steps, and whenever its turn
 * is over the others get theirs. Without it a large query would hold up writes, probes and its own time limit.
 */
export function createTurns(clock: Clock): () => Promise<void> | null {
  let startedMs = clock.monotonicMs()
  return () => {
    if (clock.monotonicMs() - startedMs < turnMs) return null
    return new Promise((resolve) => {
      setImmediate(() => {
        startedMs = clock.monotonicMs()
        resolve()
      })
    })
  }
}
