import { AppError } from '../../common/errors.ts'
import type { KubeClient } from '../kube/client.ts'
import type { KubeObject } from '../kube/object.ts'
import { resources } from '../kube/resource.ts'
import type { OwnSecrets, StoredSecret } from './secrets.ts'

/** The operator's own Secrets on the API server, with the labels that the operator puts on what it makes. */
export function ownSecrets(
  client: KubeClient,
  namespace: string,
  labels: Readonly<Record<string, string>>,
): OwnSecrets {
  return {
    async read(name) {
      const secret = await client.get(resources.secrets, { namespace, name })
      return secret ? stored(secret) : null
    },
    create: (name, type, data) =>
      unlessConflict(
        client.create({
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name, namespace, labels },
          type,
          data: encoded(data),
        }),
      ),
    async replace(name, read, data) {
      const live = await client.get(resources.secrets, { namespace, name })
      if (live?.metadata.resourceVersion !== read.resourceVersion) return false
      return unlessConflict(client.replace({ ...live, data: encoded(data) }))
    },
  }
}

function stored(secret: KubeObject): StoredSecret {
  const data = Object.entries((secret['data'] ?? {}) as Readonly<Record<string, string>>)
  return {
    resourceVersion: secret.metadata.resourceVersion ?? '',
    data: Object.fromEntries(
      data.map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]),
    ),
  }
}

function encoded(data: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
  )
}

async function unlessConflict(write: Promise<unknown>): Promise<boolean> {
  try {
    await write
    return true
  } catch (error) {
    if (error instanceof AppError && error.kind === 'conflict') return false
    throw error
  }
}
