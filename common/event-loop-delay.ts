import { monitorEventLoopDelay } from 'node:perf_hooks'

/** A timer of this interval is watched; how much later it comes than it should is the delay. */
const intervalMs = 2

export interface EventLoopDelay {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/**
 * Watches how late the event loop is from now on.
 * @returns the delays since it was asked last
 */
export function watchEventLoop(): () => EventLoopDelay {
  const histogram = monitorEventLoopDelay({ resolution: intervalMs })
  histogram.enable()
  // It counts the time between two ticks, which is the interval where nothing is late.
  const delayMs = (betweenNs: number): number => Math.max(0, betweenNs / 1e6 - intervalMs)
  return () => {
    const delay = {
      p50Ms: delayMs(histogram.percentile(50)),
      p99Ms: delayMs(histogram.percentile(99)),
      maxMs: delayMs(histogram.max),
    }
    histogram.reset()
    return delay
  }
}
