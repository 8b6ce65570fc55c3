import * as z from 'zod'
import { commonStatus } from './conditions.ts'
import { apiVersion, duration, id, objectName, optional, organizationRef } from './fields.ts'
import { metadataSchema } from './metadata.ts'

const hash = () => z.string().regex(/^[0-9a-f]{64}$/)

export const tokenPermissionSchema = z
  .object({
    database: optional(z.string().min(1).max(64)).describe(
      'A databaseName, or * for all databases of the organization. Excludes manage.',
    ),
    access: optional(
      z
        .array(z.enum(['read', 'write']))
        .min(1)
        .max(2),
    )
      .meta({ 'x-kubernetes-list-type': 'set' })
      .describe('With database: what is allowed there.'),
    manage: optional(
      z
        .array(z.enum(['databases', 'tokens', 'users']))
        .min(1)
        .max(3),
    )
      .meta({ 'x-kubernetes-list-type': 'set' })
      .describe('Kinds of things that the token may manage. Excludes database and access.'),
  })
  .describe('One permission: database and access, or manage.')

export const tokenSpecSchema = z.object({
  organization: organizationRef(),
  description: optional(z.string().max(1024)).describe('What the token is for.'),
  permissions: z
    .array(tokenPermissionSchema)
    .min(1)
    .max(64)
    .describe('What the token allows. Cannot be changed: other permissions are another token.'),
  expiresAfter: optional(duration()).describe(
    'Ends the whole Token this long after its creation; none for a token that does not expire.',
  ),
  rotation: optional(
    z.object({
      every: duration().describe('How often a new token string is put in the Secret: at least 1m.'),
      overlap: duration()
        .default('24h')
        .describe('How long the one before goes on being accepted, from when the Secret holds the new one.'),
    }),
  ).describe(
    'Change the token string by itself; none to keep it until the annotation holdfast.dev/rotate asks for another.',
  ),
  secretName: optional(objectName()).describe(
    'Name of the Secret that receives the token; metadata.name if none. Cannot be changed: another Secret is another token.',
  ),
  hash: optional(hash()).describe(
    'SHA-256, 64 lower-case hex digits, of a token string minted elsewhere: no Secret is made. Excludes secretName and rotation. Cannot be changed.',
  ),
})

export const issuedTokenSchema = z
  .object({
    id: id().describe('Id of the token string: the first 16 digits of hash.'),
    hash: hash().describe('SHA-256 of the token string.'),
    createdAt: z.iso.datetime().describe('When it was made.'),
    expiresAt: optional(z.iso.datetime()).describe('When it ends; none for never.'),
    lastUsedAt: z.iso
      .datetime()
      .optional()
      .describe('When a storage node last let it in: up to a day behind; none where it has not been used.'),
  })
  .describe('One token string that nodes accept until it ends.')

export const tokenStatusSchema = z.object({
  ...commonStatus,
  organizationId: id().optional().describe('Id of the organization.'),
  tokens: z
    .array(issuedTokenSchema)
    .max(16)
    .default([])
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['id'] })
    .describe(
      'The token strings, newest first, by hash. One that has ended is refused, and stays here for a while.',
    ),
  binding: z
    .object({ name: objectName().describe('Name of the Secret.') })
    .optional()
    .describe('The Secret with the token, as the Service Binding specification wants it.'),
})

/** A Token as the API server stores it, defaults filled in. */
export const tokenSchema = z.object({
  apiVersion: z.literal(apiVersion),
  kind: z.literal('Token'),
  metadata: metadataSchema,
  spec: tokenSpecSchema,
  status: tokenStatusSchema.optional(),
})

export type Token = z.infer<typeof tokenSchema>
export type TokenSpec = z.infer<typeof tokenSpecSchema>
export type TokenStatus = z.infer<typeof tokenStatusSchema>
export type IssuedToken = z.infer<typeof issuedTokenSchema>

/** Name of the Secret that receives the token string, or null when the string is minted elsewhere. */
export function tokenSecretName(token: Token): string | null {
  return token.spec.hash === null ? (token.spec.secretName ?? token.metadata.name) : null
}
