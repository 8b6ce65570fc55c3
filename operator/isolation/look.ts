import type { Attempt, Outcome, Outcomes } from '../../common/attempts.ts'
import type { NodeAddress } from '../node-client/node-client.ts'
import type { AccessPeer } from '../api/organization.ts'
import {
  egressTargets,
  ingressPorts,
  triedPath,
  type Surroundings,
  type Target,
  type TriedPath,
  type TriedPod,
} from './paths.ts'
import type { Look, Trouble } from './verdict.ts'

/** Who can be asked for attempts. None of these throws. */
export interface Triers {
  /** The operator itself, for controls. */
  reach(attempt: Attempt): Promise<Outcome>
  /** A storage node: null if it does not answer, 'unsupported' if its version has no such request. */
  fromNode(node: NodeAddress, attempts: readonly Attempt[]): Promise<Outcomes | 'unsupported' | null>
  /** The isolation probe at an address: null if it does not answer. */
  fromProbe(address: string, attempts: readonly Attempt[]): Promise<Outcomes | null>
}

export interface Tried {
  readonly organizationId: string
  readonly pods: readonly TriedPod[]
  readonly access: readonly AccessPeer[]
  readonly operatorNamespace: string
}

/** A storage node as it answered the operator. */
interface Asked {
  readonly pod: TriedPod
  readonly answer: Outcomes | 'unsupported' | null
}

/** Tries every path of an organization that must be closed, each beside its control, all at one time. */
export async function look(tried: Tried, around: Surroundings, triers: Triers): Promise<Look> {
  const targets = egressTargets(around)
  const attempts = targets.map(({ attempt }) => attempt)
  const [asked, controls, ingress] = await Promise.all([
    Promise.all(
      tried.pods.map(async (pod): Promise<Asked> => {
        const address = { organizationId: tried.organizationId, podUid: pod.uid, host: pod.ip }
        return { pod, answer: await triers.fromNode(address, attempts) }
      }),
    ),
    Promise.all(targets.map(({ control }) => triers.reach(control))),
    tryProbe(tried, around, triers),
  ])
  const reached = controls.map((outcome) => outcome === 'connected')
  const paths = [
    ...asked.flatMap(({ pod, answer }) => egressPaths(pod, answer, targets, reached)),
    ...ingressPaths(ingress, asked),
  ]
  return { paths, troubles: troublesOf(around, ingress, asked, paths) }
}

function egressPaths(
  { name }: TriedPod,
  answer: Asked['answer'],
  targets: readonly Target[],
  reached: readonly boolean[],
): readonly TriedPath[] {
  const outcomes = answer === 'unsupported' ? null : answer
  const canConnect = outcomes?.control === 'connected'
  return targets.flatMap(({ name: to, isOptional }, index) => {
    const outcome = outcomes?.outcomes[index] ?? null
    if (isOptional && !reached[index] && outcome !== 'connected') return []
    return [triedPath(name, to, outcome, canConnect && reached[index]!)]
  })
}

/** What the probe was asked for: the control first, then the ports of the pods. */
interface Ingress {
  readonly ways: readonly { readonly pod: TriedPod; readonly port: number }[]
  readonly outcomes: Outcomes | null
}

async function tryProbe(
  { pods, access, operatorNamespace }: Tried,
  { probe, gateway }: Surroundings,
  triers: Triers,
): Promise<Ingress> {
  if (probe === null) return { ways: [], outcomes: null }
  const ports = ingressPorts(probe, operatorNamespace, access)
  const ways = pods.flatMap((pod) => ports.map((port) => ({ pod, port })))
  if (gateway === null) return { ways, outcomes: null }
  const attempts = ways.map(({ pod, port }): Attempt => ({ protocol: 'tcp', address: pod.ip, port }))
  return { ways, outcomes: await triers.fromProbe(probe, [gateway, ...attempts]) }
}

/** The probe reaches the gateway, and the operator the storage node: so what keeps the probe from it is the path. */
function ingressPaths({ ways, outcomes }: Ingress, asked: readonly Asked[]): readonly TriedPath[] {
  const [gateway, ...rest] = outcomes?.outcomes ?? []
  const canConnect = outcomes?.control === 'connected' && gateway === 'connected'
  return ways.map(({ pod, port }, index) => {
    const isThere = asked.some(({ pod: { uid }, answer }) => uid === pod.uid && answer !== null)
    return triedPath(
      'isolation probe',
      `${pod.name} port ${port}`,
      rest[index] ?? null,
      canConnect && isThere,
    )
  })
}

function troublesOf(
  { probe, gateway }: Surroundings,
  { outcomes }: Ingress,
  asked: readonly Asked[],
  paths: readonly TriedPath[],
): readonly Trouble[] {
  const troubles: Trouble[] = []
  if (probe === null) troubles.push({ why: 'the isolation probe does not run' })
  else if (gateway === null || (outcomes && outcomes.outcomes[0] !== 'connected'))
    troubles.push({ why: 'the isolation probe does not reach the gateway, which is its control' })
  else if (!outcomes) troubles.push({ why: 'the isolation probe does not answer' })
  for (const { pod, answer } of asked) {
    if (answer === null) troubles.push({ why: `${pod.name} does not answer the operator` })
  }
  const blind = asked.find(({ answer }) => answer === 'unsupported')
  const isOnlyBlind = paths.every(
    ({ from, result }) => result !== 'NotTried' || asked.some(({ pod }) => pod.name === from),
  )
  if (blind && troubles.length === 0 && isOnlyBlind) {
    const why = `the version of ${blind.pod.name} cannot try the paths out of it`
    troubles.push({ why, isInVain: true })
  }
  return troubles
}
