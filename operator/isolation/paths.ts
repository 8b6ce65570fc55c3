import { adminPort, clientPort } from '../../common/admin-api.ts'
import { openPort, type Attempt, type Outcome } from '../../common/attempts.ts'
import { containsRange, parseRange } from '../api/cidr.ts'
import type { AccessPeer, IsolationProof } from '../api/organization.ts'
import { componentSelector } from '../naming/labels.ts'

/** A storage node that runs. */
export interface TriedPod {
  readonly name: string
  readonly uid: string
  readonly ip: string
  readonly isReady: boolean
}

/** What there is around an organization, by address; null for what is not known or not there. */
export interface Surroundings {
  readonly probe: string | null
  readonly gateway: Attempt | null
  readonly nameServer: Attempt | null
  /** A storage node of another organization. */
  readonly neighbour: string | null
}

/** Somewhere that a storage node must not reach, and what shows that it could be reached. */
export interface Target {
  readonly name: string
  readonly attempt: Attempt
  /** What the operator must reach in the same pass. */
  readonly control: Attempt
  /** Where the control fails there is nothing, and nothing to prove. */
  readonly isOptional?: true
}

export type TriedPath = IsolationProof['paths'][number]

const tcp = (address: string, port: number): Attempt => ({ protocol: 'tcp', address, port })
/** Where machines in many clouds hand out credentials. */
const metadata = tcp('169.254.169.254', 80)

/**
 * What no storage node may reach: nothing goes out (docs/decisions/0003-no-egress.md). Not the API server: it may run on the
 * pod's own machine, which Kubernetes lets every pod reach whatever policies say.
 */
export function egressTargets(around: Surroundings): readonly Target[] {
  const { probe, nameServer, neighbour } = around
  const target = (name: string, attempt: Attempt | null): readonly Target[] =>
    attempt ? [{ name, attempt, control: attempt }] : []
  const neighbours = neighbour === null ? [] : [clientPort, adminPort]
  return [
    ...target('isolation probe', probe === null ? null : tcp(probe, openPort)),
    ...(nameServer
      ? [{ name: 'name server', attempt: nameServer, control: nameServer, isOptional: true } as const]
      : []),
    ...neighbours.map((port): Target => ({
      name: `another organization’s storage node, port ${port}`,
      attempt: tcp(neighbour!, port),
      // The operator may not reach the other port either.
      control: tcp(neighbour!, adminPort),
      isOptional: true,
    })),
    { name: 'cloud metadata', attempt: metadata, control: metadata, isOptional: true },
  ]
}

/** Ports of a storage node that the probe must not reach. */
export function ingressPorts(
  probe: string,
  operatorNamespace: string,
  access: readonly AccessPeer[],
): readonly number[] {
  return isAllowed(probe, operatorNamespace, access) ? [adminPort] : [clientPort, adminPort]
}

/** Whether `spec.access.from` lets the probe in, which no other pod would be an example of then. */
function isAllowed(probe: string, operatorNamespace: string, access: readonly AccessPeer[]): boolean {
  const own = parseRange(`${probe}/${probe.includes(':') ? 128 : 32}`)
  const lies = (cidr: string): boolean => {
    const range = parseRange(cidr)
    return range !== null && own !== null && containsRange(range, own)
  }
  const labels = componentSelector('isolation-probe')
  return access.some(({ namespace, podLabels, cidr, except }) =>
    cidr === null
      ? namespace === operatorNamespace &&
        Object.entries(podLabels).every(([key, value]) => labels[key] === value)
      : lies(cidr) && !except.some(lies),
  )
}

/**
 * One path as it was found.
 * @param outcome of the attempt; null where it could not be made
 * @param isReached whether all that had to be reached in the same pass was
 */
export function triedPath(from: string, to: string, outcome: Outcome | null, isReached: boolean): TriedPath {
  const result = outcome === 'connected' ? 'Open' : outcome !== null && isReached ? 'Closed' : 'NotTried'
  return { from, to, control: isReached ? 'Reached' : 'NotReached', result }
}

export const textOfPath = ({ from, to }: TriedPath): string => `from ${from} to ${to}`
