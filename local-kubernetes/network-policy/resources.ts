/**
 * What the enforcer reads of `networking.k8s.io/v1` NetworkPolicy, Namespace and Pod: the fields that decide which
 * packets may pass, as the API server sends them.
 */
export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>
  readonly matchExpressions?: readonly LabelRequirement[]
}

export interface LabelRequirement {
  readonly key: string
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
  readonly values?: readonly string[]
}

export interface Peer {
  readonly podSelector?: LabelSelector
  readonly namespaceSelector?: LabelSelector
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] }
}

export interface PolicyPort {
  /** TCP unless given. */
  readonly protocol?: Protocol
  /** A number, the name of a container's port, or nothing for every port of the protocol. */
  readonly port?: number | string
  readonly endPort?: number
}

export type Protocol = 'TCP' | 'UDP' | 'SCTP'
export type Direction = 'ingress' | 'egress'

export interface NetworkPolicy {
  readonly metadata: { readonly name: string; readonly namespace: string }
  readonly spec: {
    readonly podSelector?: LabelSelector
    readonly policyTypes?: readonly ('Ingress' | 'Egress')[]
    readonly ingress?: readonly { readonly from?: readonly Peer[]; readonly ports?: readonly PolicyPort[] }[]
    readonly egress?: readonly { readonly to?: readonly Peer[]; readonly ports?: readonly PolicyPort[] }[]
  }
}

export interface Namespace {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
}

export interface Container {
  readonly ports?: readonly {
    readonly name?: string
    readonly protocol?: Protocol
    readonly containerPort: number
  }[]
  /** `Always` makes an init container a sidecar, whose ports serve for the pod's whole life. */
  readonly restartPolicy?: string
}

export interface Pod {
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly labels?: Readonly<Record<string, string>>
    readonly deletionTimestamp?: string
  }
  readonly spec: {
    readonly hostNetwork?: boolean
    readonly containers: readonly Container[]
    readonly initContainers?: readonly Container[]
  }
  readonly status?: { readonly phase?: string; readonly podIP?: string }
}

/** All that a ruleset follows from. */
export interface World {
  readonly policies: readonly NetworkPolicy[]
  readonly namespaces: readonly Namespace[]
  readonly pods: readonly Pod[]
}
