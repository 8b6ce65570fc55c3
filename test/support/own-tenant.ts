import type { TestCluster } from './kubernetes.ts'

/** A tenant of a test's own: everything of it has the name of its namespace, and it leaves nothing when it goes. */
export interface OwnTenant {
  readonly namespace: string
  /** Arguments of kubectl that name its Organization. */
  readonly organization: readonly string[]
}

/** Its database; the Secret of its Token is `writer`. */
export const ownDatabase = 'data'
export const ownToken = 'writer'

export const ownTenant = (name: string): OwnTenant => ({
  namespace: name,
  organization: [`organization/${name}`, '--namespace', name],
})

/** The three files of a tenant, as it applies them to its namespace. */
export const ownTenantYaml = ({ namespace }: OwnTenant): string => `
apiVersion: holdfast.dev/v1alpha1
kind: Organization
metadata: { name: ${namespace}, namespace: ${namespace} }
spec: { storage: { size: 1Gi }, deletionPolicy: Delete }
---
apiVersion: holdfast.dev/v1alpha1
kind: Database
metadata: { name: ${ownDatabase}, namespace: ${namespace} }
spec: { organization: ${namespace}, deletionPolicy: Delete }
---
${tokenYaml(namespace, ownToken)}`

/** A Token that opens every database of a tenant of a test's own. */
export const tokenYaml = (namespace: string, name: string): string => `
apiVersion: holdfast.dev/v1alpha1
kind: Token
metadata: { name: ${name}, namespace: ${namespace} }
spec: { organization: ${namespace}, permissions: [{ database: '*', access: [read, write] }] }
`

export const readyArguments = ({ namespace }: OwnTenant): readonly string[] => [
  'wait',
  '--namespace',
  namespace,
  '--for=condition=Ready',
  'org,hdb,htok',
  '--all',
  '--timeout=120s',
]

/** Takes tenants away, with all that they had. */
export async function deleteOwnTenants(cluster: TestCluster, tenants: readonly OwnTenant[]): Promise<void> {
  if (tenants.length === 0) return
  const names = tenants.map(({ namespace }) => namespace)
  await cluster.kubectl(['delete', 'namespace', ...names, '--ignore-not-found', '--timeout=180s'])
}
