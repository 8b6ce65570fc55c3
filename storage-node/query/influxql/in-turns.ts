import type { QueryContext } from './context.ts'

/** Resolves when others have had their turn. @throws the reason for which the work is to end */
export type GiveTurn = () => Promise<void>

export const turnsOf =
  ({ endTurn, signal }: Pick<QueryContext, 'endTurn' | 'signal'>): GiveTurn =>
  async () => {
    const turn = endTurn()
    if (!turn) return
    await turn
    signal.throwIfAborted()
  }

/**
 * So many series are made and looked at, or so many texts are sorted, between two readings of the clock: a quarter of a
 * millisecond with 10 tags, three with 60 long ones.
 */
const stepSize = 16

/** Items some at a time, in their order, with a turn for others before each step. */
export async function* inSteps<T>(
  all: Iterable<T>,
  giveTurn: GiveTurn,
): AsyncGenerator<readonly T[], void, undefined> {
  let step: T[] = []
  for (const one of all) {
    step.push(one)
    if (step.length < stepSize) continue
    await giveTurn()
    yield step
    step = []
  }
  // Who looks at the first of many measurements' series makes a step of each.
  await giveTurn()
  if (step.length > 0) yield step
}

/** The same items sorted; equal ones stay in their order. */
export async function sortedInTurns<T>(
  items: Iterable<T>,
  compare: (a: T, b: T) => number,
  giveTurn: GiveTurn,
): Promise<readonly T[]> {
  let sorted: T[] = []
  for await (const run of inSteps(items, giveTurn)) sorted.push(...run.toSorted(compare))
  for (let run = stepSize; run < sorted.length; run *= 2) {
    const merged: T[] = []
    for (let from = 0; from < sorted.length; from += 2 * run) {
      const middle = Math.min(from + run, sorted.length)
      const end = Math.min(middle + run, sorted.length)
      let [left, right] = [from, middle]
      while (left < middle || right < end) {
        const isLeft = right === end || (left < middle && compare(sorted[left]!, sorted[right]!) <= 0)
        merged.push(isLeft ? sorted[left++]! : sorted[right++]!)
        if (merged.length % stepSize === 0) await giveTurn()
      }
    }
    sorted = merged
  }
  return sorted
}
