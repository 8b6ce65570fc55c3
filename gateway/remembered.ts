import type { Clock } from '../common/clock.ts'

const rememberedMs = 600_000

/**
 * Keys that were of use a short while ago: credentials that a node let in, organizations that have a node. It decides
 * nothing about access, which is the nodes' alone; it only spares those who are known from what guessers get: the
 * limit on attempts, and being told that their organization does not exist while its only node is being replaced.
 */
export class Remembered {
  readonly #clock: Clock
  readonly #maxKeys: number
  readonly #atMs = new Map<string, number>()

  constructor(clock: Clock, maxKeys = 100_000) {
    this.#clock = clock
    this.#maxKeys = maxKeys
  }

  has(key: string): boolean {
    const atMs = this.#atMs.get(key)
    return atMs !== undefined && this.#clock.monotonicMs() - atMs < rememberedMs
  }

  add(key: string): void {
    this.#atMs.delete(key)
    this.#atMs.set(key, this.#clock.monotonicMs())
    if (this.#atMs.size > this.#maxKeys) this.#atMs.delete(this.#atMs.keys().next().value!)
  }

  delete(key: string): void {
    this.#atMs.delete(key)
  }
}
