import { randomBytes } from 'node:crypto'
import { AppError } from '../../common/errors.ts'
import { runtimeNamespace } from '../../common/ids.ts'
import type { DesiredInput } from '../desired/input.ts'
import { dataKeySecret, storageNodeTlsSecret } from '../desired/secrets.ts'
import type { KubeObject } from '../kube/object.ts'
import { resources } from '../kube/resource.ts'
import { storageNodeDnsNames } from '../naming/addresses.ts'
import { secretNames } from '../naming/names.ts'
import type { Pass } from './pass.ts'

/** A node's certificate names all the replicas that there can be, so that growing needs no new one. */
const replicasLimit = 3
/** A certificate lasts a year and is renewed months before its end. */
const lookAgainMs = 12 * 3_600_000

/**
 * The Secrets that the storage nodes mount. The data key is made once and never overwritten: a lost key is lost data.
 * The TLS identity is made once too, and made anew when a third of its time is left.
 */
export async function ensureRuntimeSecrets(pass: Pass, input: DesiredInput): Promise<void> {
  const { organizationId } = input
  const lookKey = `runtime-secrets ${organizationId}`
  const lookedMs = pass.memory.look(lookKey)?.atMs
  const nowMs = pass.clock.monotonicMs()
  // A StatefulSet is made after its Secrets, so that where one stands only time can have changed anything.
  if (input.existing && lookedMs !== undefined && nowMs - lookedMs < lookAgainMs) return
  await ensureDataKey(pass, input)
  await ensureIdentity(pass, input)
  pass.memory.looked(lookKey, { atMs: nowMs, hold: null })
}

async function ensureDataKey(pass: Pass, { organizationId, existing }: DesiredInput): Promise<void> {
  if (await read(pass, organizationId, secretNames.dataKey)) return
  const volumes = pass.caches.persistentVolumeClaims.list(runtimeNamespace(organizationId))
  if (existing || volumes.length > 0) {
    // A new key would only hide that the data cannot be read any more.
    throw new AppError(
      'corrupt',
      'ERR_DATA_KEY_MISSING',
      `Secret ${runtimeNamespace(organizationId)}/${secretNames.dataKey} is gone: restore it, its data cannot be read without it`,
    )
  }
  await createOnce(pass, dataKeySecret(organizationId, randomBytes(32), pass.now))
}

async function ensureIdentity(pass: Pass, { organizationId, platform }: DesiredInput): Promise<void> {
  const found = await read(pass, organizationId, secretNames.storageNodeTls)
  const names = storageNodeDnsNames(organizationId, replicasLimit, platform.clusterDomain)
  const data = found?.['data'] as Readonly<Record<string, string>> | undefined
  const pem = Buffer.from(data?.['tls.crt'] ?? '', 'base64').toString('utf8')
  if (found && !pass.authority.isNodeIdentityDue(pem, organizationId, names)) return
  const issued = await pass.authority.issueNodeIdentity(organizationId, names)
  const wanted = storageNodeTlsSecret(organizationId, {
    certificate: issued.certificatePem,
    privateKey: issued.privateKeyPem,
    authority: pass.authority.certificatePem,
  })
  if (!found) return createOnce(pass, wanted)
  await pass.client.replace({ ...found, data: wanted['data'] })
  pass.log.info({ organizationId }, 'storage node identity renewed')
  return undefined
}

function read(pass: Pass, organizationId: string, name: string): Promise<KubeObject | null> {
  return pass.client.get(resources.secrets, { namespace: runtimeNamespace(organizationId), name })
}

async function createOnce(pass: Pass, secret: KubeObject): Promise<void> {
  try {
    await pass.client.create(secret)
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'ERR_KUBE_ALREADY_EXISTS')) throw error
  }
}
