import { createHash } from 'node:crypto'
import * as z from 'zod'
import { idPattern } from './ids.ts'

/**
 * What the operator tells a storage node: the whole truth about the organization, in one document.
 *
 * It is pushed to the admin port by compare-and-set on the digest that the node reports. Absence detaches, it never
 * deletes: a database that is not in the document is not served, its data stays until a command names its id.
 * Durations are nanoseconds as decimal strings, since JSON numbers cannot hold them. It names secrets by id and holds none:
 * its digest is public, and a digest over a secret can be guessed offline. What older versions read is in
 * state-document-formats.ts.
 */
export const stateFormatVersion = 2

const id = z.string().regex(idPattern)
const nanoseconds = z.string().regex(/^(0|[1-9][0-9]{0,18})$/)
const base64url = z
  .string()
  .max(2_048)
  .regex(/^[-_A-Za-z0-9]+$/)

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

/** A public key of an issuer, RFC 7517: nothing that is secret fits in. */
const publicJwkSchema = z.strictObject({
  kty: z.enum(['RSA', 'EC', 'OKP']),
  kid: z.string().min(1).max(256),
  alg: z.string().max(16).optional(),
  use: z.literal('sig').optional(),
  n: base64url.optional(),
  e: base64url.optional(),
  crv: z.string().max(16).optional(),
  x: base64url.optional(),
  y: base64url.optional(),
})

/** Ways in besides tokens. */
export const authenticationStateSchema = z.strictObject({
  jwt: z
    .strictObject({
      keyIds: z
        .array(id)
        .min(1)
        .max(2)
        .describe('of the shared secrets, whose bytes come beside the document'),
      maxLifetimeNs: nanoseconds,
    })
    .nullable(),
  oidc: z
    .strictObject({
      issuer: z.string().min(1).max(512),
      audience: z.string().min(1).max(256),
      usernameClaim: z.string().min(1).max(64),
      groupsClaim: z.string().min(1).max(64).nullable(),
      requireMfa: z.boolean(),
      emailDomains: z.array(z.string().min(1).max(253)).max(32),
      keys: z.array(publicJwkSchema).max(32),
    })
    .nullable(),
  clientCertificates: z
    .strictObject({ authorities: z.string().min(1).max(65_536).describe('PEM') })
    .nullable(),
})

const role = z.enum(['Owner', 'Editor', 'Viewer'])
const memberName = z.string().min(1).max(256)
export const memberStateSchema = z.union([
  z.strictObject({ user: memberName, role }),
  z.strictObject({ group: memberName, role }),
])

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
    requestsPerSecond: z.int().positive().nullable(),
    rowsPerQuery: z.int().positive(),
    queryMemoryBytes: z.int().positive().nullable(),
  }),
  authentication: authenticationStateSchema,
  members: z.array(memberStateSchema).max(1_000),
  audit: z
    .strictObject({ publicKey: z.base64().length(44).describe('X25519, 32 bytes') })
    .nullable()
    .describe('for whom audit lines are sealed; a node that writes none takes the document all the same'),
})

/**
 * What travels beside a document of format 2, in no digest: the bytes of secrets, by the ids that the document names them
 * by, and when the issuer's keys were fetched last.
 */
export const besideSchema = z.strictObject({
  secrets: z.record(id, z.base64().max(4_096)),
  issuerKeysAt: z.iso.datetime().nullable(),
})

export type RetentionPolicyState = z.infer<typeof retentionPolicySchema>
export type DatabaseState = z.infer<typeof databaseStateSchema>
export type Permission = z.infer<typeof permissionSchema>
export type TokenState = z.infer<typeof tokenStateSchema>
export type AuthenticationState = z.infer<typeof authenticationStateSchema>
export type StateDocument = z.infer<typeof stateDocumentSchema>
/** Of documents of each format, there is this and more. */
type WhatAllFormatsHave = Pick<StateDocument, 'organization' | 'databases' | 'tokens'> & {
  readonly formatVersion: number
}
export type Beside = z.infer<typeof besideSchema>

/** Rows that a statement may answer with where nobody says otherwise. */
export const defaultRowsPerQuery = 10_000_000
export const nothingBeside: Beside = { secrets: {}, issuerKeysAt: null }
/** Tokens alone. */
export const noOtherAuthentication: AuthenticationState = { jwt: null, oidc: null, clientCertificates: null }

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

/**
 * SHA-256 of the canonical form, 64 lower-case hex digits: the revision that a node confirms. Of the document as it is
 * sent: in another format it has another digest.
 */
export function stateDigest(document: WhatAllFormatsHave): string {
  return createHash('sha256').update(canonicalJson(document)).digest('hex')
}
