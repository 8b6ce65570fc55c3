import { contains, formatAddress, formatRange, isEveryAddress, union, type Range } from './addresses.ts'
import { isolate, type Allowance, type Isolation } from './isolation.ts'
import { podRange, type AddressedPod } from './pods.ts'
import type { PolicyPort, Protocol, World } from './resources.ts'

export const tableName = 'holdfast_network_policy'

/**
 * The whole of nftables' table for a state of the cluster, as text for `nft -f -`, which replaces the table in one
 * step. Equal states give equal text.
 *
 * - Every packet that the host forwards is judged by its connection: `ct original ip saddr` is who opened it,
 *   `ct reply ip saddr` who answers it (behind a Service: the pod itself). Replies so pass exactly as long as the
 *   connection is allowed, there is no accept for whatever is established, and a connection that a change forbids is
 *   cut both ways with the next packet. Nothing has to be flushed from conntrack, and nothing races with it.
 * - Isolated pods are found by one look-up of the opener's and one of the answerer's address.
 * - An address of the pod range that no pod is known to hold neither sends nor receives. A pod that has just been
 *   started is therefore closed until its policies are in force, instead of open.
 * - A pod cannot send from an address that is not its own: packets must come in where their source is routed to.
 *   What conntrack cannot follow is dropped, since nothing tells whose it is.
 * - The node's own packets are never forwarded ones: as Kubernetes wants it, a pod and its node always reach each other.
 */
export function compile(world: World): string {
  const { pods, isolations } = isolate(world)
  const named = isolations.map((isolation, index) => ({
    ...isolation,
    chain: `${isolation.direction}_${index}`,
  }))
  const verdicts = (direction: string) =>
    named
      .filter((isolation) => isolation.direction === direction)
      .flatMap(({ chain, pods }) => pods.map((pod) => `${formatAddress(pod.address)} : jump ${chain}`))
  const isolated = [...new Set(isolations.flatMap(({ pods }) => pods.map((pod) => pod.address)))]
    .toSorted((a, b) => a - b)
    .map(formatAddress)
  return [
    `table inet ${tableName}`,
    `delete table inet ${tableName}`,
    `table inet ${tableName} {`,
    elements(
      'set pods',
      'ipv4_addr',
      pods.map((pod) => formatAddress(pod.address)),
    ),
    elements(
      'set itself',
      'ipv4_addr . ipv4_addr',
      isolated.map((address) => `${address} . ${address}`),
    ),
    elements('map egress', 'ipv4_addr : verdict', verdicts('egress')),
    elements('map ingress', 'ipv4_addr : verdict', verdicts('ingress')),
    ...named.map((isolation) => chain(isolation, isolation.chain, pods)),
    forwardChain,
    '}',
    '',
  ].join('\n')
}

const forwardChain = `  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname "veth*" fib saddr . iif oif missing drop
    ip saddr ${podRange} ip saddr != @pods drop
    ip daddr ${podRange} ip daddr != @pods drop
    ip saddr ${podRange} ct state invalid,untracked drop
    ip daddr ${podRange} ct state invalid,untracked drop
    ct state related meta l4proto icmp accept
    ct original ip saddr . ct reply ip saddr @itself accept
    ct original ip saddr vmap @egress
    ct reply ip saddr vmap @ingress
  }`

function elements(name: string, type: string, list: readonly string[]): string {
  const content = list.length === 0 ? '' : ` elements = { ${list.join(', ')} };`
  return `  ${name} { type ${type};${content} }`
}

function chain(isolation: Isolation, name: string, pods: readonly AddressedPod[]): string {
  const statements = isolation.allowances.flatMap((allowance) => matches(isolation, allowance, pods))
  return [
    `  # ${isolation.namespace}: ${isolation.policies.join(', ')}`,
    `  chain ${name} {`,
    ...[...new Set(statements)].map((match) => `    ${match}return`),
    '    drop',
    '  }',
  ].join('\n')
}

/** What packets of the connections that an allowance allows look like, each text ending in a space. */
function matches(
  { direction, pods: isolated }: Isolation,
  { peers, ports }: Allowance,
  pods: readonly AddressedPod[],
): readonly string[] {
  if (peers.length === 0) return []
  const far = direction === 'egress' ? 'ct reply ip saddr' : 'ct original ip saddr'
  const peer = isEveryAddress(peers) ? '' : `${far} { ${peers.map(formatRange).join(', ')} } `
  if (ports === null) return [peer]
  const destinations = direction === 'ingress' ? isolated : pods.filter((pod) => contains(peers, pod.address))
  return [
    ...bothWays((port) => anonymousSet(`meta l4proto . ${port}`, numberedPorts(ports))),
    ...bothWays((port) =>
      anonymousSet(`ct reply ip saddr . meta l4proto . ${port}`, namedPorts(ports, destinations)),
    ),
  ].map((match) => `${peer}${match}`)
}

/** The port of a connection is the destination's: packets of the opener go to it, packets of the answerer come from it. */
function bothWays(match: (port: string) => string | null): readonly string[] {
  return (['original', 'reply'] as const).flatMap((way) => {
    const text = match(way === 'original' ? 'th dport' : 'th sport')
    return text === null ? [] : [`ct direction ${way} ${text}`]
  })
}

function anonymousSet(key: string, list: readonly string[]): string | null {
  return list.length === 0 ? null : `${key} { ${list.join(', ')} } `
}

/** `tcp . 80`, `udp . 0-65535`: disjoint, since nftables refuses ranges that overlap. */
function numberedPorts(ports: readonly PolicyPort[]): readonly string[] {
  const byProtocol = Map.groupBy(
    ports.filter(({ port }) => typeof port !== 'string'),
    ({ protocol = 'TCP' }) => protocol,
  )
  return [...byProtocol].flatMap(([protocol, list]) =>
    union(list.map(portRange)).map(
      ({ first, last }) => `${nftProtocol(protocol)} . ${first === last ? first : `${first}-${last}`}`,
    ),
  )
}

function portRange({ port, endPort }: PolicyPort): Range {
  if (typeof port !== 'number') return { first: 0, last: 65_535 }
  return { first: port, last: Math.max(port, endPort ?? port) }
}

/** `10.244.0.5 . tcp . 8080` for each destination that has a port of one of these names and protocols. */
function namedPorts(ports: readonly PolicyPort[], destinations: readonly AddressedPod[]): readonly string[] {
  const wanted = new Set(
    ports
      .filter(({ port }) => typeof port === 'string')
      .map(({ port, protocol = 'TCP' }) => `${port} ${protocol}`),
  )
  const found = destinations.flatMap((pod) =>
    pod.ports
      .filter(({ name, protocol }) => wanted.has(`${name} ${protocol}`))
      .map(({ protocol, port }) => `${formatAddress(pod.address)} . ${nftProtocol(protocol)} . ${port}`),
  )
  return [...new Set(found)]
}

const nftProtocol = (protocol: Protocol): string => protocol.toLowerCase()
