import { contains, parseAddress, parseBlock, type Range } from './addresses.ts'
import type { Pod, Protocol } from './resources.ts'

/** The addresses of the cluster's pods, as the CNI configuration hands them out. */
export const podRange = '10.244.0.0/16'

export interface NamedPort {
  readonly name: string
  readonly protocol: Protocol
  readonly port: number
}

/** A running pod with an address of its own: the only kind that policies select or admit by selector. */
export interface AddressedPod {
  readonly address: number
  readonly name: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly ports: readonly NamedPort[]
}

/**
 * The pods that hold an address of the pod range now, in the order of their addresses. Pods that ended and pods on
 * the host's network hold none. Where two claim one address (the API server hears late of a pod's end), the one that
 * is not being deleted holds it; if that does not settle it, nobody does, and its packets are dropped.
 */
export function addressedPods(pods: readonly Pod[]): readonly AddressedPod[] {
  const range = [parseBlock(podRange)!]
  const claims = new Map<number, Pod[]>()
  for (const pod of pods) {
    const address = addressOf(pod, range)
    if (address !== null) claims.set(address, [...(claims.get(address) ?? []), pod])
  }
  return [...claims]
    .flatMap(([address, claimants]) => {
      const staying = claimants.filter((pod) => pod.metadata.deletionTimestamp === undefined)
      const [holder, ...others] = claimants.length === 1 ? claimants : staying
      return holder === undefined || others.length > 0 ? [] : [addressed(holder, address)]
    })
    .toSorted((a, b) => a.address - b.address)
}

function addressOf(pod: Pod, range: readonly Range[]): number | null {
  const { phase, podIP } = pod.status ?? {}
  if (pod.spec.hostNetwork === true || phase === 'Succeeded' || phase === 'Failed') return null
  const address = parseAddress(podIP ?? '')
  return address !== null && contains(range, address) ? address : null
}

function addressed(pod: Pod, address: number): AddressedPod {
  const { name, namespace, labels = {} } = pod.metadata
  const sidecars = (pod.spec.initContainers ?? []).filter((container) => container.restartPolicy === 'Always')
  const ports = [...pod.spec.containers, ...sidecars]
    .flatMap((container) => container.ports ?? [])
    .flatMap(({ name, protocol = 'TCP', containerPort }) =>
      name === undefined ? [] : [{ name, protocol, port: containerPort }],
    )
  return { address, name, namespace, labels, ports }
}
