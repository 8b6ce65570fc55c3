import * as z from 'zod'
import { commonStatus } from './conditions.ts'
import {
  apiVersion,
  deletionPolicies,
  duration,
  id,
  influxName,
  optional,
  organizationRef,
} from './fields.ts'
import { metadataSchema } from './metadata.ts'

/** The retention policy that every database has; its duration is spec.retention. */
export const autogen = 'autogen'

const retentionPolicy = z
  .object({
    name: influxName().describe('Name of the policy, not autogen.'),
    duration: duration().describe('How long points are kept: at least 1h, or 0 for ever.'),
    shardDuration: optional(duration()).describe(
      'Time range of one group of files: at least 1h; none to derive it from duration as InfluxDB does.',
    ),
  })
  .describe('A retention policy besides autogen.')

export const databaseSpecSchema = z.object({
  organization: organizationRef(),
  databaseName: optional(influxName()).describe(
    'Name that clients use, 1-64 characters, no "/", no leading "_"; metadata.name if none. Cannot be changed.',
  ),
  retention: duration()
    .default('0')
    .describe('How long the policy autogen keeps points: at least 1h, or 0 for ever.'),
  retentionPolicies: z
    .array(retentionPolicy)
    .max(63)
    .default([])
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
    .describe('More retention policies.'),
  defaultRetentionPolicy: influxName()
    .default(autogen)
    .describe('Policy that is meant where a client names none: autogen or one of retentionPolicies.'),
  limits: z
    .object({
      series: optional(z.int().min(1).max(1_000_000_000)).describe(
        'Most series of this database; none for the limit of the organization alone.',
      ),
      fieldsPerMeasurement: z
        .int()
        .min(1)
        .max(10_000)
        .default(1000)
        .describe('Most fields of one measurement.'),
    })
    .prefault({})
    .describe('Bounds that the storage nodes enforce.'),
  deletionPolicy: z
    .enum(deletionPolicies)
    .default('Retain')
    .describe('Retain keeps the data when the Database is deleted; Delete drops it.'),
})

export const databaseStatusSchema = z.object({
  ...commonStatus,
  databaseId: id().optional().describe('Id of the database.'),
  organizationId: id().optional().describe('Id of the organization that holds it.'),
  databaseName: z.string().max(64).optional().describe('Name that clients use.'),
})

/** A Database as the API server stores it, defaults filled in. */
export const databaseSchema = z.object({
  apiVersion: z.literal(apiVersion),
  kind: z.literal('Database'),
  metadata: metadataSchema,
  spec: databaseSpecSchema,
  status: databaseStatusSchema.optional(),
})

export type Database = z.infer<typeof databaseSchema>
export type DatabaseSpec = z.infer<typeof databaseSpecSchema>
export type DatabaseStatus = z.infer<typeof databaseStatusSchema>

/** The name that clients use. */
export function databaseName(database: Database): string {
  return database.spec.databaseName ?? database.metadata.name
}
