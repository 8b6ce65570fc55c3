import { AppError } from '../../common/errors.ts'
import { tokenId } from '../../common/ids.ts'
import { stateDocumentSchema, type StateDocument } from '../../common/state-document.ts'

/** Ids of tokens that were valid once and are not any more; they never are again. */
export type RevokedIds = ReadonlySet<string>

/** More revoked tokens than any organization makes in decades; a node would rather refuse than forget one. */
export const maxRevokedIds = 1_000_000

const refused = (code: `ERR_STATE_${string}`, message: string, details?: Readonly<Record<string, unknown>>) =>
  new AppError('invalid', code, message, details && { details })

/**
 * Reads a state document.
 * @throws AppError invalid, ERR_STATE_SCHEMA or ERR_STATE_INCONSISTENT, naming the place
 */
export function parseStateDocument(value: unknown): StateDocument {
  const parsed = stateDocumentSchema.safeParse(value)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const place = issue?.path.join('.') || 'document'
    throw refused('ERR_STATE_SCHEMA', `${place}: ${issue?.message ?? 'not a state document'}`)
  }
  const document = parsed.data
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
  return document
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
