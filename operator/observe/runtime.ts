import * as z from 'zod'
import type { FileDamage, NodeTrouble } from '../../common/admin-api.ts'
import { quantityPattern } from '../api/fields.ts'
import { compareQuantities } from '../api/quantity.ts'
import type { KubeObject } from '../kube/object.ts'

/** A storage node's pod, as far as a pass cares. */
export interface PodView {
  readonly name: string
  readonly uid: string
  readonly ip: string | null
  /** The container runs, so that its admin port answers or soon will. */
  readonly running: boolean
  readonly ready: boolean
  readonly terminating: boolean
  /** What keeps it from running, in the kubelet's or the scheduler's words; null if nothing does. */
  readonly trouble: string | null
  /** The revision of the StatefulSet that it was made after, null where that is not said. */
  readonly revision: string | null
  /** How often its container was started again. */
  readonly restarts: number
  /** How its container ended last, in the kubelet's words; null if it never has. */
  readonly lastExit: string | null
}

export interface StatefulSetView {
  readonly object: KubeObject
  readonly replicas: number
  /** The revision that its pods are to be, null until the StatefulSet controller has seen the newest spec. */
  readonly revision: string | null
  /** The StatefulSet controller has seen the newest spec and every pod is made after it. */
  readonly rolledOut: boolean
  /** The StatefulSet controller has seen the newest spec. */
  readonly isSeen: boolean
}

export interface ClaimView {
  readonly name: string
  readonly bound: boolean
  readonly storageClass: string | null
  readonly uid: string
  /** Size that was asked for, and the size that there is; null for what is not known. */
  readonly requested: string | null
  readonly capacity: string | null
  /** What the storage says of the volume's growth, null for nothing. */
  readonly growth: { readonly message: string; readonly isInfeasible: boolean } | null
}

/** What there is in an organization's runtime namespace. */
export interface Runtime {
  readonly namespace: KubeObject | undefined
  readonly statefulSet: StatefulSetView | null
  readonly pods: readonly PodView[]
  readonly claims: readonly ClaimView[]
}

/** What a storage node says to the document that it should serve, and of the files on its volume. */
export type PodReport = {
  /** What was found damaged; absent if the node has not said. */
  readonly damage?: readonly FileDamage[]
  /** What fails there again and again; absent if the node has not said. */
  readonly troubles?: readonly NodeTrouble[]
  /** For how long it has served nobody; absent if the node has not said. */
  readonly idleMs?: number
} &
  /** The document is in force there. */
  (
    | { readonly result: 'confirmed'; readonly pod: PodView }
    /** Not reached, or not in a state to answer: it is tried again. */
    | { readonly result: 'unreachable'; readonly pod: PodView; readonly message: string }
    /** It will not take this document. */
    | {
        readonly result: 'refused'
        readonly pod: PodView
        readonly message: string
        /** Id of the token that it has revoked for ever, if that is why. */
        readonly revokedTokenId?: string
      }
  )

const waiting = z.object({ reason: z.string().optional(), message: z.string().optional() })

const terminated = z.object({
  reason: z.string().optional(),
  exitCode: z.number().optional(),
  message: z.string().optional(),
})

const podSchema = z.object({
  metadata: z.object({ labels: z.record(z.string(), z.string()).optional() }).optional(),
  status: z
    .object({
      podIP: z.string().optional(),
      conditions: z
        .array(z.object({ type: z.string(), status: z.string(), message: z.string().optional() }))
        .optional(),
      containerStatuses: z
        .array(
          z.object({
            restartCount: z.number().default(0),
            state: z
              .object({
                running: z.object({}).optional(),
                waiting: waiting.optional(),
                terminated: terminated.optional(),
              })
              .optional(),
            lastState: z.object({ terminated: terminated.optional() }).optional(),
          }),
        )
        .optional(),
    })
    .optional(),
})

const statefulSetSchema = z.object({
  metadata: z.object({ generation: z.number().optional() }),
  spec: z.object({
    replicas: z.number().default(1),
  }),
  status: z
    .object({
      observedGeneration: z.number().optional(),
      updatedReplicas: z.number().default(0),
      currentRevision: z.string().optional(),
      updateRevision: z.string().optional(),
    })
    .optional(),
})

const sizes = z.object({ storage: z.string().optional() })

const claimSchema = z.object({
  spec: z
    .object({
      storageClassName: z.string().optional(),
      resources: z.object({ requests: sizes.optional() }).optional(),
    })
    .optional(),
  status: z
    .object({
      phase: z.string().optional(),
      capacity: sizes.optional(),
      allocatedResourceStatuses: sizes.optional(),
      conditions: z
        .array(z.object({ type: z.string(), status: z.string(), message: z.string().optional() }))
        .optional(),
    })
    .optional(),
})

/** A pod with nothing but what its view is made of. */
export function seenPod({ apiVersion, kind, metadata, status }: KubeObject): KubeObject {
  return { apiVersion, kind, metadata, status: podSchema.shape.status.safeParse(status).data }
}

/** A claim with nothing but what its view is made of. */
export function seenClaim({ apiVersion, kind, metadata, ...rest }: KubeObject): KubeObject {
  return { apiVersion, kind, metadata, ...claimSchema.safeParse(rest).data }
}

/** A StatefulSet whose status is nothing but what its view is made of. */
export function seenStatefulSet({ status, ...object }: KubeObject): KubeObject {
  return { ...object, status: statefulSetSchema.shape.status.safeParse(status).data }
}

/** The StatefulSet controller's label on each pod. */
const revisionLabel = 'controller-revision-hash'
const exitMessageLimit = 512

export function podView(object: KubeObject): PodView {
  const read = podSchema.safeParse(object).data
  const status = read?.status
  const containers = status?.containerStatuses ?? []
  const holding = containers.find(({ state }) => state?.waiting)?.state?.waiting
  const unscheduled = status?.conditions?.find(
    ({ type, status: said }) => type === 'PodScheduled' && said === 'False',
  )
  return {
    name: object.metadata.name,
    uid: object.metadata.uid ?? '',
    ip: status?.podIP ?? null,
    running: containers.length > 0 && containers.every(({ state }) => state?.running !== undefined),
    ready: status?.conditions?.some(({ type, status: said }) => type === 'Ready' && said === 'True') ?? false,
    terminating: object.metadata.deletionTimestamp !== undefined,
    trouble:
      unscheduled?.message ??
      (holding?.reason === undefined ? null : [holding.reason, holding.message].filter(Boolean).join(': ')),
    revision: read?.metadata?.labels?.[revisionLabel] ?? null,
    restarts: Math.max(0, ...containers.map(({ restartCount }) => restartCount)),
    lastExit: lastExitOf(
      containers.map(({ state, lastState }) => state?.terminated ?? lastState?.terminated),
    ),
  }
}

/** With the last line of what the container left to be read, which is of its log where it left nothing else. */
function lastExitOf(ends: readonly (z.infer<typeof terminated> | undefined)[]): string | null {
  const end = ends.find((found) => found !== undefined)
  if (!end) return null
  const code = end.exitCode === undefined ? 'ended' : `ended with exit code ${end.exitCode}`
  const reason = end.reason === undefined ? '' : ` (${end.reason})`
  const line = end.message?.trim().split('\n').at(-1)?.slice(0, exitMessageLimit)
  return `${code}${reason}${line ? `: ${line}` : ''}`
}

export function statefulSetView(object: KubeObject): StatefulSetView {
  const read = statefulSetSchema.safeParse(object).data
  const replicas = read?.spec.replicas ?? 0
  const status = read?.status
  const isSeen = status?.observedGeneration === read?.metadata.generation
  const revision = isSeen ? (status?.updateRevision ?? null) : null
  return {
    object,
    replicas,
    revision,
    isSeen: revision !== null,
    rolledOut: revision !== null && (status?.updatedReplicas ?? 0) >= replicas,
  }
}

export function claimView(object: KubeObject): ClaimView {
  const read = claimSchema.safeParse(object).data
  return {
    name: object.metadata.name,
    bound: read?.status?.phase === 'Bound',
    storageClass: read?.spec?.storageClassName ?? null,
    uid: object.metadata.uid ?? '',
    requested: quantityOrNull(read?.spec?.resources?.requests?.storage),
    capacity: quantityOrNull(read?.status?.capacity?.storage),
    growth: growthOf(read?.status),
  }
}

/** Newest first of what the resizer and the kubelet say as a claim grows. */
const growthConditions = ['NodeResizeError', 'ControllerResizeError', 'FileSystemResizePending', 'Resizing']

function growthOf(status: z.infer<typeof claimSchema>['status']): ClaimView['growth'] {
  const said = growthConditions
    .map((wanted) => status?.conditions?.find(({ type, status: is }) => type === wanted && is === 'True'))
    .find((condition) => condition !== undefined)
  if (!said) return null
  const isInfeasible = status?.allocatedResourceStatuses?.storage?.endsWith('Infeasible') ?? false
  return { message: [said.type, said.message].filter(Boolean).join(': '), isInfeasible }
}

const quantityOrNull = (text: string | undefined): string | null =>
  text !== undefined && quantityPattern.test(text) ? text : null

/** The most that any of the claims asks for, null if none says. */
export function largestRequest(claims: readonly ClaimView[]): string | null {
  const asked = claims.flatMap(({ requested }) => requested ?? [])
  return asked.reduce<string | null>(
    (most, size) => (most === null || compareQuantities(size, most) > 0 ? size : most),
    null,
  )
}
