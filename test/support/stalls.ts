import { Worker } from 'node:worker_threads'

/** Of a look to the next. */
const tickMs = 50
/** What a look may come late on a machine that has others to serve. */
const usualMs = 200

/**
 * How long a machine has stood still between two looks: as another guest of its host, or its disk, may have it for seconds.
 * Nothing on it does anything meanwhile, so that no promise of time is broken by it.
 */
export const stallSince = (lookedMs: number, nowMs: number): number =>
  Math.max(0, nowMs - lookedMs - tickMs - usualMs)

/** Monotonic milliseconds, the same for all threads. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6

/**
 * Looked for by a thread of its own: a product that blocks the test's own thread is not a machine that stands still. What it has
 * found, and when it looked last, in milliseconds.
 */
const shared = new Float64Array(new SharedArrayBuffer(2 * Float64Array.BYTES_PER_ELEMENT))
shared[1] = now()
new Worker(
  `const { workerData: shared } = require('node:worker_threads')
   const now = () => Number(process.hrtime.bigint()) / 1e6
   setInterval(() => {
     const nowMs = now()
     shared[0] += Math.max(0, nowMs - shared[1] - ${tickMs + usualMs})
     shared[1] = nowMs
   }, ${tickMs})`,
  { eval: true, workerData: shared },
).unref()

/** Milliseconds so far in which this machine stood still. */
export const stalledMs = (): number => shared[0]! + stallSince(shared[1]!, now())

/** Milliseconds in which it did not: for limits that are promises of time. */
export const runningMs = (): number => now() - stalledMs()

/**
 * Tries what hangs on fractions of a second; where that fails while the machine stood still, it is tried anew.
 * @param act begins from the beginning each time
 * @param stalled milliseconds so far
 */
export async function undisturbed<Result>(
  act: () => Promise<Result>,
  stalled: () => number = stalledMs,
): Promise<Result> {
  for (let triesLeft = 4; ; triesLeft -= 1) {
    const beforeMs = stalled()
    try {
      return await act()
    } catch (error) {
      if (triesLeft === 0 || stalled() === beforeMs) throw error
    }
  }
}
