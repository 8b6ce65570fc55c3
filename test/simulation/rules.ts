import type { DatabaseState } from '../../common/state-document.ts'

/** The databases and policies of a simulated node. */
const hourNs = 3_600_000_000_000n

export interface DatabaseRules {
  readonly id: string
  readonly maxSeries: number | null
  readonly maxFields: number
}

export const policies = [
  { name: 'autogen', durationNs: 0n },
  { name: 'short', durationNs: hourNs },
] as const

export const measurements = ['cpu', 'disk', 'net'] as const

export const databases: readonly DatabaseRules[] = [
  { id: '00000000000000aa', maxSeries: null, maxFields: 1000 },
  { id: '00000000000000bb', maxSeries: 12, maxFields: 8 },
]

export const databaseStates: readonly DatabaseState[] = databases.map(({ id, maxSeries, maxFields }) => ({
  id,
  name: id,
  retentionPolicies: policies.map(({ name, durationNs }) => ({
    name,
    durationNs: String(durationNs),
    shardDurationNs: String(hourNs),
  })),
  defaultRetentionPolicy: 'autogen',
  limits: { series: maxSeries, fieldsPerMeasurement: maxFields },
}))
