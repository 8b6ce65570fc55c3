import { everyAddress, parseBlock, union, without, type Range } from './addresses.ts'
import { addressedPods, type AddressedPod } from './pods.ts'
import type { Direction, NetworkPolicy, Peer, PolicyPort, World } from './resources.ts'
import { selects } from './selector.ts'

/** One way in or out that policies leave open. */
export interface Allowance {
  /** Who may be at the other end. */
  readonly peers: readonly Range[]
  /** To which ports of the destination; null for any, and for protocols without ports. */
  readonly ports: readonly PolicyPort[] | null
}

/** Pods that the same policies isolate in one direction, and all that these policies together allow. */
export interface Isolation {
  readonly direction: Direction
  readonly namespace: string
  /** Names of the policies, sorted. */
  readonly policies: readonly string[]
  readonly pods: readonly AddressedPod[]
  readonly allowances: readonly Allowance[]
}

export interface Isolations {
  /** Every pod with an address, isolated or not. */
  readonly pods: readonly AddressedPod[]
  readonly isolations: readonly Isolation[]
}

/** Who is isolated, and what is allowed all the same. A pod that no policy selects in a direction is in no isolation of it. */
export function isolate(world: World): Isolations {
  const pods = addressedPods(world.pods)
  const policiesOf = Map.groupBy(world.policies, (policy) => policy.metadata.namespace)
  const isolations = [...Map.groupBy(pods, (pod) => pod.namespace)]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([namespace, members]) =>
      (['egress', 'ingress'] as const).flatMap((direction) =>
        isolationsOf(namespace, direction, members, policiesOf.get(namespace) ?? [], world, pods),
      ),
    )
  return { pods, isolations }
}

function isolationsOf(
  namespace: string,
  direction: Direction,
  members: readonly AddressedPod[],
  policies: readonly NetworkPolicy[],
  world: World,
  pods: readonly AddressedPod[],
): readonly Isolation[] {
  const relevant = policies
    .filter((policy) => directionsOf(policy).includes(direction))
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  const selecting = (pod: AddressedPod) =>
    relevant.filter((policy) => selects(policy.spec.podSelector ?? {}, pod.labels))
  const groups = Map.groupBy(members, (pod) =>
    selecting(pod)
      .map((policy) => policy.metadata.name)
      .join(', '),
  )
  groups.delete('')
  return [...groups.values()].map((group) => {
    const applied = selecting(group[0]!)
    return {
      direction,
      namespace,
      policies: applied.map((policy) => policy.metadata.name),
      pods: group,
      allowances: applied.flatMap((policy) => allowances(policy, direction, world, pods)),
    }
  })
}

/** The API server fills `policyTypes` in; the rule for when it is absent is the API's own. */
function directionsOf({ spec }: NetworkPolicy): readonly Direction[] {
  if (spec.policyTypes === undefined || spec.policyTypes.length === 0)
    return (spec.egress ?? []).length > 0 ? ['ingress', 'egress'] : ['ingress']
  return spec.policyTypes.map((type) => (type === 'Ingress' ? 'ingress' : 'egress'))
}

function allowances(
  policy: NetworkPolicy,
  direction: Direction,
  world: World,
  pods: readonly AddressedPod[],
): readonly Allowance[] {
  const rules =
    direction === 'ingress'
      ? (policy.spec.ingress ?? []).map(({ from, ports }) => ({ peers: from, ports }))
      : (policy.spec.egress ?? []).map(({ to, ports }) => ({ peers: to, ports }))
  return rules.map(({ peers = [], ports = [] }) => ({
    peers:
      peers.length === 0
        ? [everyAddress]
        : union(peers.flatMap((peer) => addressesOf(peer, policy.metadata.namespace, world, pods))),
    ports: ports.length === 0 ? null : ports,
  }))
}

function addressesOf(
  peer: Peer,
  ownNamespace: string,
  world: World,
  pods: readonly AddressedPod[],
): readonly Range[] {
  if (peer.ipBlock !== undefined) return blockAddresses(peer.ipBlock.cidr, peer.ipBlock.except ?? [])
  const { namespaceSelector, podSelector } = peer
  if (namespaceSelector === undefined && podSelector === undefined) return []
  const namespaces = new Set(
    namespaceSelector === undefined
      ? [ownNamespace]
      : world.namespaces
          .filter(({ metadata }) => selects(namespaceSelector, metadata.labels))
          .map(({ metadata }) => metadata.name),
  )
  return pods
    .filter((pod) => namespaces.has(pod.namespace) && selects(podSelector ?? {}, pod.labels))
    .map(({ address }) => ({ first: address, last: address }))
}

/** Pods have IPv4 addresses only, so an IPv6 block matches nothing; nor does one whose exceptions cannot be read. */
function blockAddresses(cidr: string, except: readonly string[]): readonly Range[] {
  const block = parseBlock(cidr)
  const holes = except.map(parseBlock)
  if (block === null || holes.some((hole) => hole === null)) return []
  return without(
    block,
    holes.filter((hole) => hole !== null),
  )
}
