import { stalled, type Standing } from './standing.ts'

/**
 * The one answer to every attempt at data that is not to be had, also of an id that never was one. Why, only the operator's
 * log says, which is the platform's: whoever may name ids must not learn of others' by it.
 */
export const restoreRefused: Standing = stalled(
  'RestoreRefused',
  'spec.restoreFrom.organizationId: names no retained data that this namespace may take over; it must be of a deleted Organization of this namespace, or one that the platform has annotated holdfast.dev/transfer-to',
)
