import { runtimeNamespace } from '../../common/ids.ts'
import { podName, storageNode } from './names.ts'

/** Host name of an organization's storage nodes: all of them, ready or not. */
function storageNodeHost(organizationId: string): string {
  return `${storageNode}.${runtimeNamespace(organizationId)}.svc`
}

/** Host name of one storage node. @param replica counted from 0 */
function podHost(organizationId: string, replica: number): string {
  return `${podName(replica)}.${storageNodeHost(organizationId)}`
}

/** Every name that a storage node's certificate must carry. */
export function storageNodeDnsNames(
  organizationId: string,
  replicas: number,
  clusterDomain: string,
): readonly string[] {
  const hosts = [
    storageNodeHost(organizationId),
    ...Array.from({ length: replicas }, (_, replica) => podHost(organizationId, replica)),
  ]
  return hosts.flatMap((host) => [host, `${host}.${clusterDomain}`])
}
