import { Random } from '../simulation/random.ts'

export const faultKinds = [
  'operator killed',
  'operator pod deleted',
  'gateway killed',
  'gateway pod deleted',
  'storage node killed',
  'storage node pod deleted',
  'API server restarted',
  'watches cut',
  'watches frozen',
] as const
export type FaultKind = (typeof faultKinds)[number]

export interface Fault {
  readonly kind: FaultKind
  /** Calm before it, from the end of the one before. */
  readonly waitMs: number
  /** Whose storage node is hit, where one is: an index. */
  readonly tenant: number
}

const shortestWaitMs = 1_000
const longestWaitMs = 9_000

/**
 * Faults without an end, the same for the same seed: round after round of all kinds, each round in an order of its own,
 * so that a short run meets every kind, and after pauses that leave some of them to meet a system that is not well yet.
 */
export function* faults(seed: number, kinds: readonly FaultKind[], tenants: number): Generator<Fault> {
  const random = new Random(seed)
  for (;;) {
    for (const kind of shuffled(kinds, random)) {
      yield { kind, waitMs: random.between(shortestWaitMs, longestWaitMs), tenant: random.below(tenants) }
    }
  }
}

function shuffled<T>(list: readonly T[], random: Random): readonly T[] {
  const left = [...list]
  return list.map(() => left.splice(random.below(left.length), 1)[0]!)
}
