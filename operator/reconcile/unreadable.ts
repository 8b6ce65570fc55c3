import { AppError } from '../../common/errors.ts'
import { metadataSchema } from '../api/metadata.ts'
import {
  issuedTokenSchema,
  tokenPermissionSchema,
  tokenSpecSchema,
  type IssuedToken,
  type Token,
} from '../api/token.ts'
import { apiVersion, id } from '../api/fields.ts'
import { organizationStatusSchema, type Organization, type OrganizationStatus } from '../api/organization.ts'
import type { KubeObject } from '../kube/object.ts'
import { organizationNameOf } from '../observe/observe.ts'
import type { Observed, Seen } from '../observe/observed.ts'
import { conditionsOf, stalled, statementsOf, type Standing } from '../status/standing.ts'
import type { Pass } from './pass.ts'
import { conditionsOfRaw, isDeleting, writeStatus } from './write.ts'

/**
 * Objects that are not what the schema says, as those that a newer release has written. They keep what they have, and
 * hold up nobody else.
 */

interface Unreadable {
  readonly object: KubeObject
  readonly problem: string
}

type Json = Readonly<Record<string, unknown>>

/** What an Organization says of its members that cannot be read, null if there are none. */
export function unreadableStanding(observed: Observed): Standing | null {
  const [first] = [...unreadable(observed.databases), ...unreadable(observed.tokens)]
  if (!first) return null
  const { kind, metadata } = first.object
  return stalled('MemberUnreadable', `${kind} ${metadata.name} cannot be read: ${first.problem}`)
}

/** Says of each what of it cannot be read. */
export async function sayUnreadable(pass: Pass, observed: Observed): Promise<void> {
  const { databases, tokens } = pass.caches
  for (const member of unreadable(observed.databases)) await sayCannotBeRead(pass, databases, member)
  for (const member of unreadable(observed.tokens)) await sayCannotBeRead(pass, tokens, member)
}

/** The whole status is stated, and what it says besides, of strings, ids or a key that is being changed, must not go away. */
export async function sayCannotBeRead(
  pass: Pass,
  store: Parameters<typeof writeStatus>[1],
  { object, problem }: Unreadable,
): Promise<void> {
  const generation = object.metadata.generation ?? 0
  const statements = statementsOf(stalled('InvalidSpec', problem))
  const before = conditionsOfRaw(object)
  const others = before.filter(({ type }) => statements.every((statement) => statement.type !== type))
  const conditions = [...conditionsOf(statements, before, generation, pass.now), ...others]
  const status = { ...recordOf(object['status']), observedGeneration: generation, conditions }
  await unlessRefused(pass, object, writeStatus(pass, store, object, status))
}

/** States the status of an Organization. What a newer release has said besides of one that cannot be read whole stays. */
export async function sayOfOrganization(
  pass: Pass,
  { object, problem }: Seen<Organization>,
  status: Partial<OrganizationStatus> & Pick<OrganizationStatus, 'conditions'>,
): Promise<void> {
  const { organizations } = pass.caches
  if (problem === null) await writeStatus(pass, organizations, object, status)
  else
    await unlessRefused(pass, object, writeStatus(pass, organizations, object, besideNewer(object, status)))
}

const ownFields: ReadonlySet<string> = new Set(Object.keys(organizationStatusSchema.shape))

function besideNewer(object: KubeObject, status: Pick<OrganizationStatus, 'conditions'>) {
  const newer = Object.entries(recordOf(object['status'])).filter(([name]) => !ownFields.has(name))
  const before = conditionsOfRaw(object)
  // Whether there are backups follows from the spec.
  const isSaid = (type: string): boolean => type !== 'BackedUp' || !before.some((said) => said.type === type)
  const conditions = status.conditions.filter(({ type }) => isSaid(type))
  const others = before.filter(({ type }) => conditions.every((said) => said.type !== type))
  return { ...Object.fromEntries(newer), ...status, conditions: [...conditions, ...others] }
}

/** A status that the API server cannot take, as one beside a spec that no schema describes, holds up nothing. */
async function unlessRefused(pass: Pass, { kind }: KubeObject, written: Promise<unknown>): Promise<void> {
  try {
    await written
  } catch (error) {
    if (!(error instanceof AppError && error.kind === 'invalid')) throw error
    pass.log.warn({ objectKind: kind, reason: error.message }, 'status could not be said')
  }
}

function unreadable(members: Observed['databases'] | Observed['tokens']): readonly Unreadable[] {
  return members.flatMap(({ object, parsed, problem }) =>
    parsed === null && !isDeleting(object) ? [{ object, problem: problem ?? '' }] : [],
  )
}

/** A permission that opens nothing: no database can be called so. A token of none would be no token, and so revoked. */
const nothing = { database: '/', access: ['read' as const] }

/**
 * A Token as far as it can be read: its strings out of status, and those of its permissions that are understood.
 * Neither can have been changed since they came into force. When it ends, its strings say themselves.
 * @returns null where not even that can be read
 */
export function lenientToken(object: KubeObject): Token | null {
  const metadata = metadataSchema.safeParse(object.metadata).data
  const organization = organizationNameOf(object)
  if (!metadata || organization === null) return null
  const permissions = listOf(recordOf(object['spec'])['permissions']).flatMap(
    (entry) => tokenPermissionSchema.safeParse(entry).data ?? [],
  )
  const spec = tokenSpecSchema.safeParse({
    organization,
    permissions: permissions.length > 0 ? permissions : [nothing],
  }).data
  if (!spec) return null
  const status = recordOf(object['status'])
  const tokens = listOf(status['tokens']).flatMap(
    (entry): readonly IssuedToken[] | IssuedToken => issuedTokenSchema.safeParse(entry).data ?? [],
  )
  const organizationId = id().safeParse(status['organizationId']).data
  return {
    apiVersion,
    kind: 'Token',
    metadata,
    spec,
    status: { conditions: [], tokens, ...(organizationId !== undefined && { organizationId }) },
  }
}

function recordOf(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
