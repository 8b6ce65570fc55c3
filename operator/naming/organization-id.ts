import { idOfUid, isId } from '../../common/ids.ts'

/** An Organization as it was read or parsed. */
interface Identified {
  readonly metadata: { readonly uid?: string | undefined }
  readonly spec?: unknown
}

/**
 * The id of an organization: that of the one whose data it takes over, or else derived from its own uid. That an id is
 * named proves nothing: whose the namespace of that id is, its owner record says.
 */
export function organizationIdOf(object: Identified): string {
  return restoredId(object) ?? idOfUid(object.metadata.uid ?? '')
}

function restoredId({ spec }: Identified): string | null {
  if (typeof spec !== 'object' || spec === null || !('restoreFrom' in spec)) return null
  const from = spec.restoreFrom
  if (typeof from !== 'object' || from === null || !('organizationId' in from)) return null
  const { organizationId } = from
  return typeof organizationId === 'string' && isId(organizationId) ? organizationId : null
}
