import { readFile, writeFile } from 'node:fs/promises'
import { parse, stringify } from 'yaml'
import { pathOf, resources } from '../../operator/kube/resource.ts'
import type { ApiServer } from './api-server.ts'

/**
 * Writes how a service account, by a token of its own, calls the API server that an administrator calls by `adminFile`.
 * @param account is there already
 */
export async function writeAccountKubeconfig(
  server: ApiServer,
  adminFile: string,
  account: { readonly namespace: string; readonly name: string },
  file: string,
): Promise<void> {
  const answer = await server.send('POST', `${pathOf(resources.serviceAccounts, account)}/token`, {
    body: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: 7_200 },
    },
  })
  const { token } = answer.body['status'] as { token: string }
  const admin = parse(await readFile(adminFile, 'utf8')) as {
    clusters: readonly { readonly name: string }[]
  }
  const text = stringify({
    ...admin,
    users: [{ name: account.name, user: { token } }],
    contexts: [{ name: account.name, context: { cluster: admin.clusters[0]?.name, user: account.name } }],
    'current-context': account.name,
  })
  await writeFile(file, text, { mode: 0o600 })
}
