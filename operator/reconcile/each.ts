import type { Clock } from '../../common/clock.ts'

/** Requests of one pass at the same time. */
const atOnce = 4
/**
 * How long one kind of work with requests for each member may go on in a pass. A pass has five, and a revocation that
 * comes meanwhile must be in force within 2 s: what is left over is done by the next pass, which pushes first.
 */
const stageMs = 200

/**
 * Works through members, some at a time and at least those, until the time is up. The first failure is thrown once
 * those that ran beside it have ended.
 * @returns whether all had their turn
 */
export async function eachInTime<Item>(
  clock: Clock,
  items: readonly Item[],
  work: (item: Item) => Promise<unknown>,
): Promise<boolean> {
  const untilMs = clock.monotonicMs() + stageMs
  for (let start = 0; start < items.length; start += atOnce) {
    if (start > 0 && clock.monotonicMs() >= untilMs) return false
    for (const result of await Promise.allSettled(items.slice(start, start + atOnce).map(work))) {
      if (result.status === 'rejected') throw result.reason
    }
  }
  return true
}
