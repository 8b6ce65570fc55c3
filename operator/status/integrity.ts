import type { FileDamage } from '../../common/admin-api.ts'
import type { Condition } from '../api/conditions.ts'
import { volumeClaim } from '../naming/names.ts'
import type { PodReport, Runtime } from '../observe/runtime.ts'
import { stalled, type Standing, type Statement } from './standing.ts'

/** What the storage nodes said of the files on their volumes. */
export interface Integrity {
  readonly damaged: readonly DamagedFile[]
  /** Every storage node that there should be has spoken. */
  readonly isComplete: boolean
}

interface DamagedFile extends FileDamage {
  readonly pod: string
}

/** The others are named when these are repaired, and all of them by the node. */
const namedLimit = 3

export function integrityOf({ statefulSet, claims }: Runtime, reports: readonly PodReport[]): Integrity {
  const spoken = reports.filter(({ damage }) => damage !== undefined)
  return {
    damaged: spoken.flatMap(({ pod, damage = [] }) => damage.map((file) => ({ ...file, pod: pod.name }))),
    // A volume that no node runs on has not been spoken of.
    isComplete: statefulSet !== null && spoken.length >= Math.max(1, statefulSet.replicas, claims.length),
  }
}

/** Why an organization with damaged files is not ready, null while nobody speaks of any. */
export function damageStanding({ damaged }: Integrity): Standing | null {
  return damaged.length === 0 ? null : stalled('DataDamaged', messageOf(damaged))
}

/** A node that is silent takes back nothing of what it said before. */
export function integrityStatement(integrity: Integrity | null, previous: readonly Condition[]): Statement {
  const type = 'IntegrityVerified'
  if (integrity && integrity.damaged.length > 0) {
    return { type, status: 'False', reason: 'DataDamaged', message: messageOf(integrity.damaged) }
  }
  const before = previous.find((condition) => condition.type === type)
  if (!integrity?.isComplete && before?.status === 'False') {
    return { type, status: 'False', reason: 'DataDamaged', message: before.message }
  }
  const message = 'nothing has checked all of the stored data yet'
  return { type, status: 'Unknown', reason: 'IntegrityNotChecked', message }
}

function messageOf(damaged: readonly DamagedFile[]): string {
  const named = damaged.slice(0, namedLimit).map(textOf)
  const more = damaged.length > namedLimit ? [`${damaged.length - namedLimit} more`] : []
  const pods = [...new Set(damaged.map(({ pod }) => pod))]
  const claims = pods.map((pod) => `${volumeClaim}-${pod}`).join(', ')
  return `${[...named, ...more].join('; ')}. The storage node is read-only: writes are answered 503, queries that need no damaged file work. Put the files back as they were, from a snapshot or backup of the folder engine of claim ${claims}, then delete the pod ${pods.join(', ')}: the new one looks again`
}

function textOf({ pod, file, offsetBytes, what }: DamagedFile): string {
  return `${pod}: ${file}${offsetBytes === null ? '' : ` at byte ${offsetBytes}`}: ${what}`
}
