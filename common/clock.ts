/** The only source of time. Tests and the simulation supply their own. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch. */
  nowMs(): number
  /** Wall clock, nanoseconds since the epoch (as fine as the platform gives). */
  nowNs(): bigint
  /** Milliseconds that never go backwards, for measuring spans. */
  monotonicMs(): number
  /** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/**
 * The wall clock in nanoseconds: as fine as the monotonic clock, and following whoever sets the wall clock. The origin
 * that the platform gives does neither while a process lives.
 */
export function wallClockNs(dateMs: () => number, monotonicMs: () => number): () => bigint {
  let originMs = dateMs() - monotonicMs()
  return () => {
    const nowMs = monotonicMs()
    // The date is cut to milliseconds: up to one behind is no difference.
    const aheadMs = originMs + nowMs - dateMs()
    if (aheadMs < 0 || aheadMs > 1.5) originMs -= aheadMs
    return BigInt(Math.round((originMs + nowMs) * 1000)) * 1000n
  }
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  nowNs: wallClockNs(
    () => Date.now(),
    () => performance.now(),
  ),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }, ms)
      const onAbort = () => {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
    }),
}
