import { unreachable } from '../../common/errors.ts'
import type { Permission } from '../../common/state-document.ts'
import type { Managed } from '../query/influxql/ast.ts'
import type { StatementNeeds } from '../query/influxql/context.ts'

/** Who is asking. With authentication off, everybody is somebody who may do everything. */
export interface Principal {
  /** null with authentication off. */
  readonly tokenId: string | null
  readonly permissions: readonly Permission[] | 'all'
}

export const everybody: Principal = { tokenId: null, permissions: 'all' }

export type Access = 'read' | 'write'

/** May the caller read or write the points of a database? null asks for a database that the request does not name. */
export function mayAccess(principal: Principal, access: Access, database: string | null): boolean {
  if (principal.permissions === 'all') return true
  return principal.permissions.some(
    (permission) =>
      'database' in permission &&
      (permission.database === '*' || permission.database === database) &&
      permission.access.includes(access),
  )
}

/** May the caller create, change and drop these? */
function mayManage(principal: Principal, what: Managed): boolean {
  if (principal.permissions === 'all') return true
  return principal.permissions.some(
    (permission) => 'manage' in permission && permission.manage.includes(what),
  )
}

/**
 * Judges one statement of a query.
 * @returns null, or the refusal in the words of InfluxDB 1.8
 */
export function refusalOf(principal: Principal, needs: StatementNeeds): string | null {
  const user = principal.tokenId ?? ''
  switch (needs.kind) {
    case 'none':
      return null
    case 'read':
    case 'write':
      return mayAccess(principal, needs.kind, needs.database)
        ? null
        : `${user} not authorized to execute statement '${needs.text}', requires ${needs.kind.toUpperCase()} on ${needs.database ?? ''}`
    case 'admin':
      return mayManage(principal, needs.manages)
        ? null
        : `${user} not authorized to execute statement '${needs.text}', requires admin privilege`
    default:
      return unreachable(needs)
  }
}
