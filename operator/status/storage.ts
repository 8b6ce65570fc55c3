import type { Organization, StorageStatus } from '../api/organization.ts'
import type { ExistingStorageNodes } from '../desired/input.ts'
import type { PodReport, Runtime } from '../observe/runtime.ts'
import { progressing, ready, stalled, whileServing, type Standing } from './standing.ts'
import { storageNodesStanding } from './storage-nodes.ts'

interface Seen {
  readonly organization: Organization
  readonly runtime: Runtime
  readonly reports: readonly PodReport[]
}

type Growth = NonNullable<StorageStatus['growth']>

/**
 * What status says of the volumes.
 * @param nodes what of the StatefulSet is to stay, null while there is none: then what was said stays
 * @param growth what is under way, null for nothing
 */
export function storageStatus(
  previous: StorageStatus | undefined,
  nodes: ExistingStorageNodes | null,
  runtime: Runtime,
  growth: Growth | null,
): StorageStatus | null {
  if (!nodes && !previous) return null
  // From the moment at which its StatefulSet may go, the claims say what there is.
  const size = growth?.step === 'Recreating' ? growth.size : (nodes?.claim.size ?? previous?.size)
  const replicas = nodes
    ? Math.max(runtime.statefulSet?.replicas ?? 0, runtime.claims.length)
    : previous?.replicas
  return {
    ...(size !== undefined && { size }),
    ...(replicas !== undefined && { replicas }),
    ...(growth && { growth }),
  }
}

/** How storage nodes stand that serve also while the StatefulSet over their pods is replaced. */
export function servingStanding(
  { organization, runtime, reports }: Seen,
  wasReady: boolean,
  growth: Growth | null,
): Standing {
  const isReplaced = growth?.step === 'Recreating' && !runtime.statefulSet?.isSeen
  const { replicas } = organization.spec.storage
  const judged = isReplaced ? { ...runtime, statefulSet: { replicas, rolledOut: true } } : runtime
  return storageNodesStanding(judged, reports, wasReady)
}

/** How an organization stands whose volumes may be growing: that takes nothing from it. */
export function growingStanding(standing: Standing, runtime: Runtime, growth: Growth | null): Standing {
  if (!growth || standing.state !== 'ready') return standing
  const infeasible = runtime.claims.find((claim) => claim.growth?.isInfeasible)
  const isStuck = growth.step === 'Refused' || (growth.step === 'Resizing' && infeasible !== undefined)
  const what = `volumes are growing to ${growth.size}`
  const said = growth.message === undefined ? what : `${what}: ${growth.message}`
  if (!isStuck && standing.reason === 'Hibernated') {
    // It ends when the pods are there again; nobody has to wait for that.
    return ready(`${standing.message}; ${said}`, 'Hibernated')
  }
  if (!isStuck) return whileServing(progressing('VolumeGrowing', said), standing)
  const helps = 'spec.storage.size may go back to status.storage.size'
  return whileServing(
    stalled('VolumeGrowthRefused', `volumes cannot grow to ${growth.size}: ${growth.message}; ${helps}`),
    standing,
  )
}
