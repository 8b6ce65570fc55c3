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
 * A kubelet lets a container that ended twice wait, up to five minutes, whoever ended it: that would be what is measured.
 * A pod that is made anew begins afresh, so in each round a component's pod is deleted after its program was killed.
 */
const endings = [
  ['operator killed', 'operator pod deleted'],
  ['gateway killed', 'gateway pod deleted'],
  ['storage node killed', 'storage node pod deleted'],
] as const satisfies readonly (readonly [FaultKind, FaultKind])[]

/**
 * A round takes a minute and a half, and Kubernetes' own controllers wait up to a minute before they watch again unless all
 * went well for two: without the API server in each round, nobody makes pods anew, and that would be what is measured.
 */
const roundsPerRestart = 3

/**
 * Faults without an end, the same for the same seed: round after round of all kinds, restarts in some of them, each round in an order of its own,
 * so that a short run meets every kind, and after pauses that leave some of them to meet a system that is not well yet.
 */
export function* faults(seed: number, kinds: readonly FaultKind[], tenants: number): Generator<Fault> {
  const random = new Random(seed)
  for (let round = 0; ; round += 1) {
    const tenant = random.below(tenants)
    const mayRestart = round % roundsPerRestart === 0
    const own = kinds.filter((kind) => mayRestart || kind !== 'API server restarted')
    for (const kind of killedFirst(shuffled(own, random))) {
      yield { kind, waitMs: random.between(shortestWaitMs, longestWaitMs), tenant }
    }
  }
}

function killedFirst(kinds: readonly FaultKind[]): readonly FaultKind[] {
  return kinds.map((kind, index) => {
    const [killed, deleted] = endings.find((pair) => pair.some((one) => one === kind)) ?? []
    if (!killed || !deleted) return kind
    const other = kinds.indexOf(kind === killed ? deleted : killed)
    if (other < 0) return kind
    return index < other ? killed : deleted
  })
}

function shuffled<T>(list: readonly T[], random: Random): readonly T[] {
  const left = [...list]
  return list.map(() => left.splice(random.below(left.length), 1)[0]!)
}
