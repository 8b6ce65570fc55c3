import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { dataKeyBytes, dataKeyId, dataKeysText, parseDataKeys } from '../../common/data-key.ts'
import type { KubeObject } from '../kube/object.ts'
import { annotationKeys } from '../naming/labels.ts'
import { dataKeyField, dataKeySaltField, lockedKeysField } from '../naming/names.ts'
import { bytesIn, customerAnnotation, customerKeysOf, type StoredDataKeys } from './secrets.ts'

/**
 * A data key that is derived from one that the customer holds: HKDF-SHA256 (RFC 5869) with a salt of the organization. So
 * the customer's own key is nowhere but in the customer's Secret: what leaks here leaks no more than one organization, and
 * what was shredded stays so though the customer keeps the key, since the salt went with the data.
 */
export function deriveDataKey(customerKey: Uint8Array, salt: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', customerKey, salt, 'holdfast data key 1', dataKeyBytes))
}

export const saltBytes = 32
export const sealNonceBytes = 12
const tagBytes = 16

/** What the customer's Secret says. */
export type CustomerKey =
  | { readonly state: 'usable'; readonly key: Uint8Array }
  /** There is no such Secret, or no such entry in it. */
  | { readonly state: 'missing' }
  /** The entry is no key: that is a mistake, and no wish to take the key away. */
  | { readonly state: 'unusable' }

/** @param secret null where there is none */
export function customerKeyIn(secret: KubeObject | null, entry: string): CustomerKey {
  const bytes = secret === null ? null : bytesIn(secret, entry)
  if (bytes === null) return { state: 'missing' }
  if (bytes.length === dataKeyBytes) return { state: 'usable', key: bytes }
  try {
    const [key, another] = parseDataKeys(bytes.toString('utf8'))
    return key && !another ? { state: 'usable', key } : { state: 'unusable' }
  } catch {
    // Without the parser's words: nothing is said of what the Secret holds.
    return { state: 'unusable' }
  }
}

/** What a Secret says from which the data keys were taken since the customer has taken the key back. */
export interface KeyLock {
  readonly since: string
  /** Of the data key that is needed. */
  readonly keyId: string
  readonly salt: Uint8Array
  /** When that key was made. */
  readonly keySince: string
}

/** @returns null of a Secret that holds data keys */
export function keyLockOf(secret: KubeObject): KeyLock | null {
  const since = secret.metadata.annotations?.[annotationKeys.keyRevoked]
  const customer = customerKeysOf(secret)
  const [keyId] = customer?.keyIds ?? []
  if (since === undefined || !customer || keyId === undefined) return null
  return { since, keyId, salt: customer.salt, keySince: keySinceOf(secret) }
}

const keySinceOf = ({ metadata }: KubeObject): string =>
  metadata.annotations?.[annotationKeys.dataKeySince] ?? metadata.creationTimestamp ?? ''

/**
 * The same Secret without any data key. Older ones, which a change that was under way needs still, are sealed by the one that
 * went: who has not the customer's key can open neither. The entry that pods mount stays, empty, or no pod could start.
 * @param nonce of 12 random bytes
 */
export function withKeysLocked(
  secret: KubeObject,
  { keys, customer }: StoredDataKeys,
  at: Date,
  nonce: Uint8Array,
): KubeObject {
  const [first, ...older] = keys
  if (!first || !customer) throw new TypeError('keys: the first one is derived from the customer’s')
  const sealed = older.length > 0 ? seal(first, nonce, Buffer.from(dataKeysText(older))) : null
  const keyIds = keys.map(dataKeyId).filter((id) => customer.keyIds.includes(id))
  const annotations = {
    ...secret.metadata.annotations,
    [annotationKeys.keyRevoked]: at.toISOString(),
    ...customerAnnotation({ ...customer, keyIds }),
  }
  return {
    ...secret,
    metadata: { ...secret.metadata, annotations },
    data: {
      [dataKeyField]: '',
      [dataKeySaltField]: base64(customer.salt),
      ...(sealed && { [lockedKeysField]: base64(sealed) }),
    },
  }
}

/**
 * What the Secret held before it was locked.
 * @param dataKey the one that is needed, as `keyLockOf` says
 * @throws TypeError if what it has sealed was changed
 */
export function unlockedKeys(secret: KubeObject, dataKey: Uint8Array): StoredDataKeys {
  const sealed = bytesIn(secret, lockedKeysField)
  const older = sealed ? parseDataKeys(unseal(dataKey, sealed).toString('utf8')) : []
  return { keys: [dataKey, ...older], since: new Date(keySinceOf(secret)), customer: customerKeysOf(secret) }
}

/** Nonce (12), ciphertext and tag (16), by AES-256-GCM. */
function seal(dataKey: Uint8Array, nonce: Uint8Array, plain: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-256-gcm', sealingKey(dataKey), nonce)
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

function unseal(dataKey: Uint8Array, sealed: Buffer): Buffer {
  const tagAt = sealed.length - tagBytes
  if (tagAt < sealNonceBytes) throw new TypeError('what was locked away is damaged')
  const nonce = sealed.subarray(0, sealNonceBytes)
  const decipher = createDecipheriv('aes-256-gcm', sealingKey(dataKey), nonce, { authTagLength: tagBytes })
  decipher.setAuthTag(sealed.subarray(tagAt))
  return Buffer.concat([decipher.update(sealed.subarray(sealNonceBytes, tagAt)), decipher.final()])
}

const sealingKey = (dataKey: Uint8Array): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', dataKey, '', 'holdfast older data keys', dataKeyBytes))

/** Whether the first data key, which is in force or about to be, is derived from the customer's. */
export function isCustomers({ keys, customer }: StoredDataKeys): boolean {
  return keys[0] !== undefined && (customer?.keyIds.includes(dataKeyId(keys[0])) ?? false)
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
