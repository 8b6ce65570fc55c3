import type { LookupFunction } from 'node:net'
import { clientPort } from '../common/admin-api.ts'
import { runtimeNamespace } from '../common/ids.ts'

/** Where an organization's nodes are to be found. */
export interface Target {
  readonly host: string
  readonly port: number
  /** In place of the system's resolver. */
  readonly lookup?: LookupFunction
}

export type TargetOf = (organizationId: string) => Target

/**
 * The Service of an organization's nodes. The name is absolute, by its last dot, so that a resolver with search
 * domains asks once, and an id that nobody has is not looked for anywhere else.
 */
export function serviceTarget(clusterDomain: string): TargetOf {
  return (organizationId) => ({
    host: `storage-node.${runtimeNamespace(organizationId)}.svc.${clusterDomain}.`,
    port: clientPort,
  })
}
