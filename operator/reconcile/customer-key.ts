import { randomBytes } from 'node:crypto'
import { dataKeyId } from '../../common/data-key.ts'
import { AppError } from '../../common/errors.ts'
import { runtimeNamespace } from '../../common/ids.ts'
import type { EncryptionStatus, Organization } from '../api/organization.ts'
import {
  customerKeyIn,
  deriveDataKey,
  isCustomers,
  saltBytes,
  sealNonceBytes,
  unlockedKeys,
  withKeysLocked,
  type CustomerKey,
  type KeyLock,
} from '../desired/customer-key.ts'
import { storedDataKeys, withDataKeys, type CustomerKeys, type StoredDataKeys } from '../desired/secrets.ts'
import { resources } from '../kube/resource.ts'
import type { KubeObject } from '../kube/object.ts'
import { secretNames } from '../naming/names.ts'
import { observeRuntime } from '../observe/observe.ts'
import type { PodReport } from '../observe/runtime.ts'
import { progressing, stalled, wholeSeconds, type Standing } from '../status/standing.ts'
import { seenDataKeys, type CustomerLook, type SeenDataKeys } from './memory.ts'
import type { Pass } from './pass.ts'
import { addressOf, reachablePods } from './push.ts'
import { eventTarget } from './write.ts'

/** Which data key the spec asks for. */
export type WantedDataKey =
  | { readonly source: 'Generated' }
  /** `keyId` is null where none was ever derived, so that it is another than those that are stored. */
  | { readonly source: 'Customer'; readonly keyId: string | null }
  /** The customer's Secret cannot be used just now: what is in force stays. */
  | { readonly source: 'Unknown' }

/** Where an organization stands with the key that its customer holds. */
export interface CustomerKeyStand {
  readonly wanted: WantedDataKey
  /** What status says of the data key while it is taken away, null while it is not. */
  readonly locked: EncryptionStatus | null
  /** null where there is nothing to say. */
  readonly standing: Standing | null
  /** When to look again, null for no such time. */
  readonly lookAgainMs: number | null
}

const shortestLookMs = 10_000
const looksPerSecond = 20
/** A node that was not reached goes on with what it has decrypted. */
const tellAgainMs = 2_000

interface Scene {
  readonly pass: Pass
  /** In the form in force. */
  readonly organization: Organization
  readonly organizationId: string
}

/**
 * Looks at the customer's key, of which no watch tells: every 10 s, on an installation with more than 200 of them as often as
 * 20 looks a second allow. What is gone at two looks, by the API server's own word, was taken away. Then the Secret that
 * the nodes mount loses its keys, which says so to whoever comes after this process, and the nodes end theirs.
 */
export async function settleCustomerKey(scene: Scene): Promise<CustomerKeyStand> {
  const { pass, organization, organizationId } = scene
  const known = pass.memory.runtimeLook(organizationId)?.dataKeys ?? null
  const said = organization.status?.encryption
  const ref = organization.spec.encryption.keySecretRef
  if (!ref) pass.memory.forgetCustomerKey(organizationId)
  if (!ref && !said?.locked && !known?.lock) return generated
  try {
    const seen = known ?? (await readStored(scene))?.seen ?? null
    const look = await lookAt(scene, seen?.customer ?? null)
    if (seen?.lock) return await staysLocked(scene, seen.lock, look)
    const isGone = look?.state === 'missing' && look.atMs > look.missingSinceMs
    const lock = isGone && isInForce(seen) ? await lockKeys(scene) : null
    return lock ? await staysLocked(scene, lock, look) : open(scene, seen, look)
  } catch (error) {
    noteNoLook(pass, error)
    const locked = said?.locked ? said : null
    const standing = said?.locked ? stalled('DataKeyRevoked', said.locked.message) : null
    return { wanted: { source: 'Unknown' }, locked, standing, lookAgainMs: tellAgainMs }
  }
}

const generated: CustomerKeyStand = {
  wanted: { source: 'Generated' },
  locked: null,
  standing: null,
  lookAgainMs: null,
}

/** Whether the first key that is stored is derived from the customer's. */
const isInForce = (seen: SeenDataKeys | null): boolean =>
  seen?.ids[0] !== undefined && (seen.customer?.keyIds.includes(seen.ids[0]) ?? false)

function open(scene: Scene, seen: SeenDataKeys | null, look: CustomerLook | null): CustomerKeyStand {
  if (!scene.organization.spec.encryption.keySecretRef) return generated
  const lookAgainMs = lookAgainInMs(scene.pass, look)
  if (!look) return { wanted: { source: 'Unknown' }, locked: null, standing: null, lookAgainMs }
  if (look.state === 'usable')
    return { wanted: { source: 'Customer', keyId: look.keyId }, locked: null, standing: null, lookAgainMs }
  // Of a key in force that is missing more is known at the next look.
  const isQuiet = look.state === 'missing' && isInForce(seen)
  const standing = isQuiet ? null : unusable(scene, look.state)
  return { wanted: { source: 'Unknown' }, locked: null, standing, lookAgainMs }
}

/**
 * Looks again when it is time. A definite answer alone counts: a refusal or a failure of the API server says nothing.
 * @returns what the last look has found, null where the spec names no Secret or nothing was found out yet
 */
async function lookAt(scene: Scene, customer: CustomerKeys | null): Promise<CustomerLook | null> {
  const { pass, organization, organizationId } = scene
  const ref = organization.spec.encryption.keySecretRef
  if (!ref) return null
  const of = `${ref.name}/${ref.key}`
  const last = pass.memory.customerLook(organizationId)
  const before = last?.of === of ? last : null
  if (before && untilNextMs(pass, before) > 0) return before
  const atMs = pass.clock.monotonicMs()
  try {
    const found = await readCustomerKey(scene)
    const look: CustomerLook = {
      of,
      atMs,
      state: found.state,
      keyId: found.state === 'usable' && customer ? dataKeyId(deriveDataKey(found.key, customer.salt)) : null,
      missingSinceMs: before?.state === 'missing' ? before.missingSinceMs : atMs,
    }
    pass.memory.lookedAtCustomerKey(organizationId, look)
    return look
  } catch (error) {
    noteNoLook(pass, error)
    return before
  }
}

function untilNextMs({ memory, clock }: Pass, { atMs }: CustomerLook): number {
  const everyMs = Math.max(shortestLookMs, (memory.customerLooks / looksPerSecond) * 1_000)
  return atMs + everyMs - clock.monotonicMs()
}

/** Of a look that came to nothing soon. */
const lookAgainInMs = (pass: Pass, look: CustomerLook | null): number =>
  Math.max(tellAgainMs, look ? untilNextMs(pass, look) : 0)

/** It can wait; a leader that is none any more cannot. */
function ownFailure(pass: Pass, error: unknown): AppError {
  if (!(error instanceof AppError) || pass.signal.aborted || error.code === 'ERR_KUBE_FENCED') throw error
  return error
}

function noteNoLook(pass: Pass, error: unknown): void {
  pass.log.info({ reason: ownFailure(pass, error).message }, 'the customer’s key: not looked at')
}

async function readCustomerKey({ pass, organization }: Scene): Promise<CustomerKey> {
  const ref = organization.spec.encryption.keySecretRef
  if (!ref) return { state: 'missing' }
  const { namespace } = organization.metadata
  return customerKeyIn(await pass.client.get(resources.secrets, { namespace, name: ref.name }), ref.key)
}

const textOf = ({ organization: { metadata, spec } }: Scene): string =>
  `Secret ${spec.encryption.keySecretRef?.name} in namespace ${metadata.namespace}, entry "${spec.encryption.keySecretRef?.key}"`

/** Names the Secret and never says what it holds, not even how much. */
const unusable = (scene: Scene, state: 'missing' | 'unusable'): Standing =>
  state === 'missing'
    ? progressing('SecretUnusable', `spec.encryption.keySecretRef: ${textOf(scene)}: there is none yet`)
    : stalled(
        'SecretUnusable',
        `spec.encryption.keySecretRef: ${textOf(scene)}: 32 bytes are expected, or base64 of 32 bytes`,
      )

/** A data key, and all that are derived from the customer's once it is stored before those that are there. */
export interface NewDataKey {
  readonly key: Uint8Array
  readonly customer: CustomerKeys | null
}

/**
 * The data key that the customer's makes, by the salt that is stored, or a new one.
 * @throws AppError unavailable, ERR_CUSTOMER_KEY_MISSING; invalid, ERR_CUSTOMER_KEY
 */
export async function customerDataKey(scene: Scene, stored: CustomerKeys | null): Promise<NewDataKey> {
  const found = await readCustomerKey(scene)
  if (found.state !== 'usable') {
    const { message } = unusable(scene, found.state)
    throw found.state === 'missing'
      ? new AppError('unavailable', 'ERR_CUSTOMER_KEY_MISSING', message)
      : new AppError('invalid', 'ERR_CUSTOMER_KEY', message)
  }
  const salt = stored?.salt ?? randomBytes(saltBytes)
  const key = deriveDataKey(found.key, salt)
  const keyId = dataKeyId(key)
  const look = scene.pass.memory.customerLook(scene.organizationId)
  if (look) scene.pass.memory.lookedAtCustomerKey(scene.organizationId, { ...look, keyId })
  const older = stored?.keyIds.filter((id) => id !== keyId) ?? []
  return { key, customer: { salt, keyIds: [keyId, ...older] } }
}

async function readStored({
  pass,
  organizationId,
}: Scene): Promise<{ readonly secret: KubeObject; readonly seen: SeenDataKeys } | null> {
  const namespace = runtimeNamespace(organizationId)
  const secret = await pass.client.get(resources.secrets, { namespace, name: secretNames.dataKey })
  if (!secret) return null
  const seen = seenDataKeys(secret)
  pass.memory.sawDataKeys(organizationId, seen)
  return { secret, seen }
}

async function write(scene: Scene, wanted: KubeObject): Promise<SeenDataKeys> {
  const { pass, organizationId } = scene
  await pass.client.replace(wanted)
  const seen = seenDataKeys(wanted)
  pass.memory.sawDataKeys(organizationId, seen)
  return seen
}

/** @returns null where a generated key is in force after all */
async function lockKeys(scene: Scene): Promise<KeyLock | null> {
  const { pass, organizationId } = scene
  const found = await readStored(scene)
  if (!found || found.seen.lock) return found?.seen.lock ?? null
  const stored: StoredDataKeys = storedDataKeys(found.secret)
  if (!isCustomers(stored)) return null
  const { lock } = await write(
    scene,
    withKeysLocked(found.secret, stored, pass.now, randomBytes(sealNonceBytes)),
  )
  pass.log.warn({ organizationId, keyId: lock?.keyId }, 'the customer has taken the key away')
  return lock
}

/** Tells all nodes, again in each pass: one that has just started may have found the key in what it mounts. */
async function staysLocked(
  scene: Scene,
  lock: KeyLock,
  look: CustomerLook | null,
): Promise<CustomerKeyStand> {
  const { pass, organizationId } = scene
  if (look?.state === 'usable' && look.keyId === lock.keyId && (await unlockKeys(scene, lock)))
    return open(scene, null, look)
  const { pods } = observeRuntime(runtimeNamespace(organizationId), pass.caches)
  const refusals = await Promise.all(
    reachablePods(pods).map(async (pod) => {
      try {
        await pass.nodes.lockDataKey(addressOf(organizationId, pod), pass.signal)
        return []
      } catch (error) {
        const { code, message } = ownFailure(pass, error)
        pass.log.warn({ pod: pod.name, reason: message }, 'node not locked yet')
        // One that is silent may be ending; one that answers otherwise goes on serving.
        return [code === 'ERR_NODE_ANSWER' ? `. ${pod.name} still serves: ${message}` : '']
      }
    }),
  )
  const untold = refusals.flat()
  const message = `${whyLocked(scene, lock, look)}${untold.join('')}`
  return {
    wanted: { source: 'Unknown' },
    locked: {
      keyId: lock.keyId,
      keySince: lock.keySince,
      source: 'Customer',
      locked: { since: wholeSeconds(new Date(lock.since)), message },
    },
    standing: stalled('DataKeyRevoked', message),
    lookAgainMs: untold.length === 0 ? lookAgainInMs(pass, look) : tellAgainMs,
  }
}

/**
 * Tells nodes that are locked to look for the key, which the kubelet brings them within a minute or two.
 * @returns whether there are such
 */
export async function returnDataKeys({
  pass,
  organizationId,
  reports,
}: Pick<Scene, 'pass' | 'organizationId'> & { readonly reports: readonly PodReport[] }): Promise<boolean> {
  const locked = reports.filter(({ lockedFor }) => lockedFor !== undefined)
  for (const { pod } of locked) {
    try {
      await pass.nodes.useDataKey(addressOf(organizationId, pod), pass.signal)
    } catch (error) {
      const { message } = ownFailure(pass, error)
      pass.log.info({ pod: pod.name, reason: message }, 'node does not see its data key yet')
    }
  }
  return locked.length > 0
}

function whyLocked(scene: Scene, { keyId }: KeyLock, look: CustomerLook | null): string {
  const { organization } = scene
  const needed = `the data is sealed by data key ${keyId} and is served when the key that it was derived from is back`
  if (!organization.spec.encryption.keySecretRef)
    return `spec.encryption.keySecretRef names no Secret: ${needed}`
  // Nothing new was found out.
  if (!look) return organization.status?.encryption?.locked?.message ?? needed
  const held = {
    missing: 'is gone',
    unusable: 'holds no key of 32 bytes',
    usable: `holds another key, which makes data key ${look.keyId}`,
  }[look.state]
  return `${textOf(scene)} ${held}: ${needed}`
}

/** @returns whether the nodes may have their key again */
async function unlockKeys(scene: Scene, lock: KeyLock): Promise<boolean> {
  const { pass, organization, organizationId } = scene
  const [customer, found] = await Promise.all([readCustomerKey(scene), readStored(scene)])
  if (customer.state !== 'usable' || !found) return false
  if (!found.seen.lock) return true
  const key = deriveDataKey(customer.key, found.seen.lock.salt)
  if (dataKeyId(key) !== lock.keyId) return false
  await write(scene, withDataKeys(found.secret, unlockedKeys(found.secret, key)))
  const message = `${textOf(scene)} is back: the storage nodes get data key ${lock.keyId} again`
  pass.events.record(eventTarget(organization), 'Normal', 'DataKeyReturned', message)
  pass.log.info({ organizationId, keyId: lock.keyId }, 'the customer’s key is back')
  return true
}
