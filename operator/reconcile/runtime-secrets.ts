import { randomBytes } from 'node:crypto'
import { dataKeyId } from '../../common/data-key.ts'
import { AppError } from '../../common/errors.ts'
import { runtimeNamespace } from '../../common/ids.ts'
import { identityOf } from '../authority/secrets.ts'
import type { DesiredInput } from '../desired/input.ts'
import { dataKeySecret, storageNodeTlsSecret, storedDataKeys } from '../desired/secrets.ts'
import { differs } from '../kube/differs.ts'
import type { KubeObject } from '../kube/object.ts'
import { resources } from '../kube/resource.ts'
import { organizationLabels } from '../naming/labels.ts'
import { storageNodeDnsNames } from '../naming/addresses.ts'
import { claimNames, secretNames } from '../naming/names.ts'
import { saidReady } from '../status/standing.ts'
import { keepStored, nothingStored } from './last-good.ts'
import type { Pass } from './pass.ts'
import { labelled, putSecret } from './put-secret.ts'

/** A node's certificate names all the replicas that there can be, so that growing needs no new one. */
const replicasLimit = 3
const shortestLookMs = 10_000
const looksPerSecond = 5

/**
 * There is no watch on Secrets, so each tenant's are read again from time to time: every 10 s on an installation of up to
 * 50 organizations, and on a larger one as often as 5 looks a second allow. That goes on over a restart: what was Ready
 * is looked at when that time has passed.
 */
export function runtimeSecretsLookMs(organizationCount: number): number {
  return Math.max(shortestLookMs, (organizationCount / looksPerSecond) * 1_000)
}

/**
 * The Secrets that the storage nodes mount. The data key is made once and never overwritten: a lost key is lost data.
 * The TLS identity is made when there is none or none that is good, and renewed long before its end.
 */
export async function ensureRuntimeSecrets(pass: Pass, input: DesiredInput): Promise<void> {
  const { organizationId } = input
  const look = pass.memory.runtimeLook(organizationId)
  const nowMs = pass.clock.monotonicMs()
  const wallMs = pass.now.getTime()
  const everyMs = runtimeSecretsLookMs(pass.caches.organizations.list().length)
  // A clock that was set, forward or back, may have made a certificate due, or one that is not valid yet.
  const isFresh = look && nowMs - look.atMs < everyMs && wallMs >= look.wallMs && wallMs < look.dueMs
  // A StatefulSet is made after its Secrets, so that where one stands only time can have changed anything.
  if (input.existing && isFresh && look.trustedPem === pass.authority.trustedPem) return
  const { trustedPem } = pass.authority
  if (!look && input.existing && saidReady(input.organization)) {
    // A process that has just begun takes the word of the one before it until their turn comes: to read those of all tenants
    // at once would keep everybody waiting who edits meanwhile.
    const vouched = { atMs: nowMs, wallMs, dueMs: Number.POSITIVE_INFINITY, trustedPem, dataKeyIds: null }
    pass.memory.lookedAtRuntime(organizationId, vouched)
    return
  }
  const dataKeyIds = await ensureDataKey(pass, input)
  const dueMs = await ensureIdentity(pass, input)
  // What this process knows of the forms was read or made just now where this is its first look.
  if (look) await keepStored(pass, organizationId)
  pass.memory.lookedAtRuntime(organizationId, { atMs: nowMs, wallMs, dueMs, trustedPem, dataKeyIds })
}

/** @returns ids of the keys that are stored */
async function ensureDataKey(pass: Pass, input: DesiredInput): Promise<readonly string[]> {
  const { organizationId, existing } = input
  const key = randomBytes(32)
  const made = dataKeySecret(organizationId, key, pass.now)
  if (isUntouched(pass, input) && (await createFirst(pass, made))) return [dataKeyId(key)]
  const found = await read(pass, organizationId, secretNames.dataKey)
  if (found) {
    const ids = idsIn(found, organizationId)
    const mended = labelled(found, organizationLabels(organizationId))
    // Never its content: what was read is written, or nothing.
    if (differs(found, mended) !== null) await pass.client.replace(mended)
    return ids
  }
  if (existing || (await hasVolume(pass, input))) {
    // A new key would only hide that the data cannot be read any more.
    throw lostKey(organizationId, 'is gone: restore it, its data cannot be read without it')
  }
  await putSecret(pass, null, made)
  return [dataKeyId(key)]
}

/** This process has made the namespace and not yet seen that Secrets stand there: nothing is to be looked for. */
function isUntouched(pass: Pass, { organizationId, existing }: DesiredInput): boolean {
  const isSeen = pass.memory.runtimeLook(organizationId) !== undefined
  return !existing && !isSeen && pass.memory.goodForms(organizationId) === nothingStored
}

/** @returns false if there is one of that name already, from a pass that came to no end */
async function createFirst(pass: Pass, secret: KubeObject): Promise<boolean> {
  try {
    await pass.client.create(secret)
    return true
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'ERR_KUBE_ALREADY_EXISTS')) throw error
    return false
  }
}

/** Looks for claims by name too: one whose labels somebody took away is not in the cache. */
async function hasVolume(pass: Pass, { organization, organizationId }: DesiredInput): Promise<boolean> {
  const namespace = runtimeNamespace(organizationId)
  if (pass.caches.persistentVolumeClaims.list(namespace).length > 0) return true
  const names = claimNames(organization.spec.storage.replicas)
  const live = await Promise.all(
    names.map((name) => pass.client.get(resources.persistentVolumeClaims, { namespace, name })),
  )
  return live.some((claim) => claim !== null)
}

function idsIn(secret: KubeObject, organizationId: string): readonly string[] {
  try {
    return storedDataKeys(secret).keys.map(dataKeyId)
  } catch {
    // Without the parser's words, which speak of a file.
    throw lostKey(
      organizationId,
      'holds no data key any more: restore what it held, its data cannot be read without it',
    )
  }
}

const lostKey = (organizationId: string, what: string): AppError =>
  new AppError(
    'corrupt',
    'ERR_DATA_KEY_MISSING',
    `Secret ${runtimeNamespace(organizationId)}/${secretNames.dataKey} ${what}`,
  )

/** @returns when it is to be renewed, milliseconds */
async function ensureIdentity(pass: Pass, input: DesiredInput): Promise<number> {
  const { organizationId, platform } = input
  const names = storageNodeDnsNames(organizationId, replicasLimit, platform.clusterDomain)
  if (isUntouched(pass, input)) {
    const { identity, dueMs } = await pass.authority.keepNodeIdentity({}, organizationId, names)
    if (await createFirst(pass, storageNodeTlsSecret(organizationId, identity))) return dueMs
  }
  const found = await read(pass, organizationId, secretNames.storageNodeTls)
  const held = identityOf(textsOf(found))
  const { identity, change, dueMs } = await pass.authority.keepNodeIdentity(held, organizationId, names)
  const wanted = storageNodeTlsSecret(organizationId, identity)
  const isEdited = found !== null && (differs(found, wanted) !== null || found['immutable'] === true)
  if (!found || change !== null || isEdited) {
    await putSecret(pass, found, wanted)
    if (found) pass.log.info({ organizationId, reason: change ?? 'edited' }, 'storage node identity renewed')
  }
  return dueMs
}

function textsOf(secret: KubeObject | null): Readonly<Record<string, string>> {
  const data = (secret?.['data'] ?? {}) as Readonly<Record<string, string>>
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]),
  )
}

function read(pass: Pass, organizationId: string, name: string): Promise<KubeObject | null> {
  return pass.client.get(resources.secrets, { namespace: runtimeNamespace(organizationId), name })
}
