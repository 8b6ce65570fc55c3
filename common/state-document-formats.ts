import * as z from 'zod'
import {
  canonicalJson,
  defaultRowsPerQuery,
  noOtherAuthentication,
  nothingBeside,
  stateDocumentSchema,
  stateFormatVersion,
  type StateDocument,
} from './state-document.ts'

/**
 * The formats that nodes of two minor versions before read, and the way between them and today's. The operator sends each
 * node the newest that both know; a node keeps the oldest that says all, which the version before can read after a rollback.
 */
const { organization, databases, tokens, limits } = stateDocumentSchema.shape

/** Format 1: tokens alone, and fewer limits. */
export const stateDocumentSchema1 = z.strictObject({
  formatVersion: z.literal(1),
  organization,
  databases,
  tokens,
  limits: limits.omit({ requestsPerSecond: true, rowsPerQuery: true, queryMemoryBytes: true }),
})

export const anyStateDocumentSchema = z.discriminatedUnion('formatVersion', [
  stateDocumentSchema1,
  stateDocumentSchema,
])

export type StateDocument1 = z.infer<typeof stateDocumentSchema1>
export type AnyStateDocument = StateDocument1 | StateDocument

/** Newest first. */
export const stateFormatVersions = [stateFormatVersion, 1] as const
export type StateFormatVersion = (typeof stateFormatVersions)[number]

/** Parts that format 1 has no place for. */
export type LaterPart =
  | 'authentication'
  | 'members'
  | 'audit'
  | `limits.${'requestsPerSecond' | 'rowsPerQuery' | 'queryMemoryBytes'}`

/** A document in today's form: what an older one cannot say is as it was before anybody could. */
export function inTodaysFormat(document: AnyStateDocument): StateDocument {
  if (document.formatVersion === stateFormatVersion) return document
  return {
    ...document,
    formatVersion: stateFormatVersion,
    limits: {
      ...document.limits,
      requestsPerSecond: null,
      rowsPerQuery: defaultRowsPerQuery,
      queryMemoryBytes: null,
    },
    authentication: noOtherAuthentication,
    members: [],
    audit: null,
  }
}

/** A document in an older form, and the parts that are lost on the way: those that would not come back. */
export function inFormat(
  document: StateDocument,
  formatVersion: StateFormatVersion,
): { readonly document: AnyStateDocument; readonly lost: readonly LaterPart[] } {
  if (formatVersion === stateFormatVersion) return { document, lost: [] }
  const { authentication: _ways, members: _members, audit: _audit, ...rest } = document
  const {
    requestsPerSecond: _requests,
    rowsPerQuery: _rows,
    queryMemoryBytes: _bytes,
    ...before
  } = rest.limits
  const older: StateDocument1 = { ...rest, formatVersion, limits: before }
  const [parts, back] = [laterParts(document), laterParts(inTodaysFormat(older))]
  const all = Object.keys(parts) as LaterPart[]
  return {
    document: older,
    lost: all.filter((part) => canonicalJson(parts[part]) !== canonicalJson(back[part])),
  }
}

const laterParts = ({
  authentication,
  members,
  audit,
  limits: { requestsPerSecond, rowsPerQuery, queryMemoryBytes },
}: StateDocument): Readonly<Record<LaterPart, unknown>> => ({
  authentication,
  members,
  audit,
  'limits.requestsPerSecond': requestsPerSecond,
  'limits.rowsPerQuery': rowsPerQuery,
  'limits.queryMemoryBytes': queryMemoryBytes,
})

/** Body of the `PUT` that brings a document into force; see admin-api.ts. */
export function stateBody(document: AnyStateDocument): unknown {
  return document.formatVersion === stateFormatVersion ? { document, beside: nothingBeside } : document
}
