import type { Clock } from './clock.ts'
import { collectAll } from './idle-collection.ts'

/** How often it looks: a look is a system call. */
const lookMs = 50
/** Collections take no more of the time than one part in this many. */
const share = 10
/** A process alone may have this part of what there is for all of the pod. */
const part = 1 / 2

export interface PressedCollectionParts {
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** What this process has in memory, its program's own pages among it. */
  readonly residentBytes: () => number
  readonly collect: () => void
}

/**
 * Gives memory back in the midst of work, where a process has more than its part. V8 keeps the pages of what lived
 * shortly for the next that do, as much again as its heap, and beside another process a small pod has no room for them.
 */
export class PressedCollection {
  readonly #parts: PressedCollectionParts
  readonly #mostBytes: number
  #lookedMs = Number.NEGATIVE_INFINITY
  #dueMs = Number.NEGATIVE_INFINITY

  /** @param limitBytes of all processes of the pod */
  constructor(limitBytes: number, parts: PressedCollectionParts) {
    this.#parts = parts
    this.#mostBytes = limitBytes * part
  }

  /** To be called often, by what goes on and on. */
  readonly look = (): void => {
    const { clock, residentBytes, collect } = this.#parts
    const nowMs = clock.monotonicMs()
    if (nowMs - this.#lookedMs < lookMs || nowMs < this.#dueMs) return
    this.#lookedMs = nowMs
    if (residentBytes() <= this.#mostBytes) return
    collect()
    const endedMs = clock.monotonicMs()
    this.#dueMs = endedMs + share * (endedMs - nowMs)
  }
}

/** That of the process that this runs in. */
export function pressedCollection(
  limitBytes: number,
  clock: PressedCollectionParts['clock'],
): PressedCollection {
  const residentBytes = () => process.memoryUsage.rss()
  return new PressedCollection(limitBytes, { clock, residentBytes, collect: collectAll })
}
