import { createHash } from 'node:crypto'
import * as z from 'zod'
import { idPattern } from './ids.ts'

/**
 * What the operator tells a storage node: the whole truth about the organization, in one document.
 *
 * It is pushed to the admin port by compare-and-set on the digest that the node reports. Absence detaches, it never
 * deletes: a database that is not in the document is not served, its data stays until a command names its id.
 * Durations are nanoseconds as decimal strings, since JSON numbers cannot hold them.
 */
export const stateFormatVersion = 1

const id = z.string().regex(idPattern)
const nanoseconds = z.string().regex(/^(0|[1-9][0-9]{0,18})$/)

export const retentionPolicySchema = z.strictObject({
  name: z.string().min(1).max(64),
  durationNs: nanoseconds.describe('0 keeps points for ever'),
  shardDurationNs: nanoseconds,
})

export const databaseStateSchema = z.strictObject({
  id,
  name: z.string().min(1).max(64),
  retentionPolicies: z.array(retentionPolicySchema).min(1).max(64),
  defaultRetentionPolicy: z.string(),
  limits: z.strictObject({
    series: z.int().positive().nullable(),
    fieldsPerMeasurement: z.int().positive(),
  }),
})

export const permissionSchema = z.union([
  z.strictObject({
    database: z.string().min(1).describe('a database name, or * for all of the organization'),
    access: z.array(z.enum(['read', 'write'])).min(1),
  }),
  z.strictObject({ manage: z.array(z.enum(['databases', 'tokens', 'users'])).min(1) }),
])

export const tokenStateSchema = z.strictObject({
  id,
  hash: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe('SHA-256 of the token string'),
  permissions: z.array(permissionSchema).min(1),
  expiresAt: z.iso.datetime().nullable(),
})

export const stateDocumentSchema = z.strictObject({
  formatVersion: z.literal(stateFormatVersion),
  organization: z.strictObject({
    id,
    name: z.string(),
    displayName: z.string(),
    directAccess: z.boolean().describe('clients other than the gateway may call the node'),
  }),
  databases: z.array(databaseStateSchema).max(10_000),
  tokens: z.array(tokenStateSchema).max(100_000),
  limits: z.strictObject({
    databases: z.int().positive(),
    series: z.int().positive(),
    writeBytesPerSecond: z.int().positive().nullable(),
    concurrentQueries: z.int().positive(),
    queryTimeoutNs: nanoseconds,
  }),
})

export type RetentionPolicyState = z.infer<typeof retentionPolicySchema>
export type DatabaseState = z.infer<typeof databaseStateSchema>
export type Permission = z.infer<typeof permissionSchema>
export type TokenState = z.infer<typeof tokenStateSchema>
export type StateDocument = z.infer<typeof stateDocumentSchema>

/** JSON with sorted keys and no white space: equal documents are equal bytes. Arrays keep their order. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sorted(value))
}

/** Not as a replacer of JSON.stringify, which takes twice as long: the operator does this some dozen times a pass. */
function sorted(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map(sorted)
  const { toJSON } = value as { readonly toJSON?: unknown }
  if (typeof toJSON === 'function') return sorted(toJSON.call(value))
  const part = value as Readonly<Record<string, unknown>>
  return Object.fromEntries(
    Object.keys(part)
      .toSorted()
      .map((key) => [key, sorted(part[key])]),
  )
}

/** SHA-256 of the canonical form, 64 lower-case hex digits: the revision that a node confirms. */
export function stateDigest(document: StateDocument): string {
  return createHash('sha256').update(canonicalJson(document)).digest('hex')
}
