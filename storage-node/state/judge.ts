import * as z from 'zod'
import { AppError } from '../../common/errors.ts'
import { tokenId } from '../../common/ids.ts'
import { anyStateDocumentSchema, inTodaysFormat } from '../../common/state-document-formats.ts'
import { besideSchema, stateDigest, type StateDocument } from '../../common/state-document.ts'
import { version } from '../../common/version.ts'

/** Ids of tokens that were valid once and are not any more; they never are again. */
export type RevokedIds = ReadonlySet<string>

/** More revoked tokens than any organization makes in decades; a node would rather refuse than forget one. */
export const maxRevokedIds = 1_000_000

const refused = (code: `ERR_STATE_${string}`, message: string, details?: Readonly<Record<string, unknown>>) =>
  new AppError('invalid', code, message, details && { details })

/** A document of any format in today's form, with the digest of the form in which it came. */
export interface ReadDocument {
  readonly document: StateDocument
  readonly digest: string
}

const bodySchema = z.strictObject({
  document: z.looseObject({ formatVersion: z.int().min(2) }),
  beside: besideSchema,
})

/**
 * The document in the body of a push: bare in format 1, later with what travels beside it. This version uses none of
 * that, so it takes none.
 * @throws AppError invalid, ERR_STATE_SCHEMA or ERR_STATE_NOT_ENFORCED, naming the place
 */
export function documentIn(body: unknown): unknown {
  if (typeof body === 'object' && body !== null && 'formatVersion' in body && body.formatVersion === 1)
    return body
  const { document, beside } = parsed(bodySchema, body)
  if (Object.keys(beside.secrets).length > 0) throw notEnforced('beside.secrets')
  if (beside.issuerKeysAt !== null) throw notEnforced('beside.issuerKeysAt')
  return document
}

/**
 * Reads a state document of any format that this version knows.
 * @throws AppError invalid, ERR_STATE_SCHEMA, ERR_STATE_INCONSISTENT or ERR_STATE_NOT_ENFORCED, naming the place
 */
export function readStateDocument(value: unknown): ReadDocument {
  const sent = parsed(anyStateDocumentSchema, value)
  const document = inTodaysFormat(sent)
  requireConsistent(document)
  requireEnforced(document)
  return { document, digest: stateDigest(sent) }
}

function parsed<Output>(schema: z.ZodType<Output>, value: unknown): Output {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const place = issue?.path.join('.') || 'document'
  throw refused('ERR_STATE_SCHEMA', `${place}: ${issue?.message ?? 'not a state document'}`)
}

/** What says who is let in must not be passed over. Audit lines that nobody writes let nobody in. */
function requireEnforced({ authentication, members }: StateDocument): void {
  for (const [way, asked] of Object.entries(authentication))
    if (asked !== null) throw notEnforced(`authentication.${way}`)
  if (members.length > 0) throw notEnforced('members')
}

const notEnforced = (place: string): AppError =>
  refused('ERR_STATE_NOT_ENFORCED', `${place}: version ${version} does not enforce it`)

function requireConsistent(document: StateDocument): void {
  requireUnique(
    'databases',
    'id',
    document.databases.map(({ id }) => id),
  )
  requireUnique(
    'databases',
    'name',
    document.databases.map(({ name }) => name),
  )
  requireUnique(
    'tokens',
    'id',
    document.tokens.map(({ id }) => id),
  )
  for (const [index, database] of document.databases.entries()) {
    const names = database.retentionPolicies.map(({ name }) => name)
    requireUnique(`databases.${index}.retentionPolicies`, 'name', names)
  }
  for (const [index, token] of document.tokens.entries()) {
    if (token.id !== tokenId(token.hash)) {
      throw refused('ERR_STATE_INCONSISTENT', `tokens.${index}.id: not the first 16 digits of the hash`)
    }
  }
}

function requireUnique(list: string, key: string, values: readonly string[]): void {
  const seen = new Set<string>()
  for (const [index, value] of values.entries()) {
    if (seen.has(value)) {
      throw refused('ERR_STATE_INCONSISTENT', `${list}.${index}.${key}: "${value}" is there twice`)
    }
    seen.add(value)
  }
}

/**
 * Decides whether `next` may follow `current`.
 * @returns the ids that are revoked once `next` is in force
 * @throws AppError invalid when `next` is for another organization or revives a revoked token
 */
export function judgeSuccessor(
  organizationId: string,
  current: StateDocument | null,
  revoked: RevokedIds,
  next: StateDocument,
): RevokedIds {
  if (next.organization.id !== organizationId) {
    throw refused(
      'ERR_STATE_OTHER_ORGANIZATION',
      'organization.id: this node belongs to another organization',
    )
  }
  const nextIds = new Set(next.tokens.map(({ id }) => id))
  const revived = [...nextIds].find((id) => revoked.has(id))
  if (revived !== undefined) {
    throw refused('ERR_STATE_REVIVES_TOKEN', `tokens: ${revived} is revoked, which is for ever`, {
      tokenId: revived,
    })
  }
  const dropped = (current?.tokens ?? []).map(({ id }) => id).filter((id) => !nextIds.has(id))
  if (dropped.length === 0) return revoked
  if (revoked.size + dropped.length > maxRevokedIds) {
    throw refused('ERR_STATE_TOO_MANY_REVOKED', `tokens: more than ${maxRevokedIds} would have been revoked`)
  }
  return new Set([...revoked, ...dropped])
}
