import { adminPort, clientPort } from '../../common/admin-api.ts'
import { hibernationOf, isToSleep } from '../api/hibernation.ts'
import type { AccessPeer } from '../api/organization.ts'
import type { KubeObject } from '../kube/object.ts'
import { componentSelector, labelKeys, storageNodeSelector, type ComponentLabel } from '../naming/labels.ts'
import { networkPolicies as names } from '../naming/names.ts'
import { runtimeMetadata, type DesiredInput } from './input.ts'

/**
 * Every path of the runtime namespace is closed, then exactly these are opened: the gateway and `access.from` to the
 * client port, the operator to the admin port. Nothing goes out: a single storage node needs no peer, no name
 * resolution and no store outside its volume.
 *
 * Namespaces are selected by the one label that only the API server sets. A pod's component label counts only together
 * with the operator's namespace, where tenants may not make pods.
 */
export function networkPolicies(input: DesiredInput): readonly KubeObject[] {
  const isOpen = !isClosed(input)
  const from = isOpen ? input.organization.spec.access.from : []
  return [
    policy(input, names.defaultDeny, {
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
      // Said, so that they are the operator's: what it does not mention it cannot take out again.
      ingress: [],
      egress: [],
    }),
    ...(isOpen ? [policy(input, names.gateway, ingress([componentPeer(input, 'gateway')], clientPort))] : []),
    policy(input, names.operator, ingress([componentPeer(input, 'operator')], adminPort)),
    ...(from.length > 0 ? [policy(input, names.direct, ingress(from.map(directPeer), clientPort))] : []),
  ]
}

/**
 * Nobody may reach a node that wakes before it has the newest state document; see status/hibernation.ts. Status may be
 * one step behind: what was stopping and shall run again wakes.
 */
function isClosed({ organization }: DesiredInput): boolean {
  const known = hibernationOf(organization)
  if (known === null) return false
  return known.step !== 'Stopping' || !isToSleep(organization)
}

type Spec = Readonly<Record<string, unknown>>

function policy(input: DesiredInput, name: string, spec: Spec): KubeObject {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: runtimeMetadata(input, name),
    spec,
  }
}

function ingress(from: readonly Spec[], port: number): Spec {
  return {
    podSelector: { matchLabels: storageNodeSelector },
    policyTypes: ['Ingress'],
    ingress: [{ from, ports: [{ port, protocol: 'TCP' }] }],
    egress: [],
  }
}

function componentPeer({ platform }: DesiredInput, component: ComponentLabel): Spec {
  return {
    namespaceSelector: { matchLabels: { [labelKeys.namespaceName]: platform.operatorNamespace } },
    podSelector: { matchLabels: componentSelector(component) },
  }
}

/** An entry of access.from, which is one of two forms. */
function directPeer({ namespace, podLabels, cidr, except }: AccessPeer): Spec {
  if (cidr !== null) return { ipBlock: { cidr, ...(except.length > 0 && { except }) } }
  const namespaceSelector = { matchLabels: { [labelKeys.namespaceName]: namespace } }
  if (Object.keys(podLabels).length === 0) return { namespaceSelector }
  return { namespaceSelector, podSelector: { matchLabels: podLabels } }
}
