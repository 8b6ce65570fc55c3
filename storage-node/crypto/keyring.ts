import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { dataKeyBytes, dataKeyId } from '../../common/data-key.ts'
import { AppError } from '../../common/errors.ts'

export const keyBytes = dataKeyBytes
export const nonceBytes = 12
export const tagBytes = 16

const format = 1
const keyIdBytes = 8
const headerBytes = 1 + keyIdBytes + nonceBytes

/** Keys that are derived from one data key. */
interface DerivedKey {
  /** Tells data keys apart and says nothing about them: 16 hex digits. */
  readonly id: string
  readonly sealing: Uint8Array
}

/**
 * What only the organization's data keys open. Sealed bytes: format (1), key id (8), nonce (12), ciphertext, tag (16);
 * AES-256-GCM with a key derived from the data key. The associated data name the organization and the purpose, so that
 * nothing sealed for one place opens in another. One data key is in force and seals; those before it still open.
 */
export class Keyring {
  readonly organizationId: string
  #current: DerivedKey
  readonly #keys = new Map<string, DerivedKey>()
  readonly #needed = new Set<string>()
  #settled = false

  /** @param dataKey 32 bytes, as are the older ones */
  constructor(organizationId: string, dataKey: Uint8Array, olderDataKeys: readonly Uint8Array[] = []) {
    this.organizationId = organizationId
    for (const older of olderDataKeys) this.#add(older)
    this.#current = this.#add(dataKey)
  }

  /** Of the key in force. */
  get keyId(): string {
    return this.#current.id
  }

  /** Ids of older keys that have opened something that is still to be sealed anew. */
  get olderKeyIds(): readonly string[] {
    return [...this.#needed].filter((id) => id !== this.keyId).sort()
  }

  /** Puts a data key in force; what the ones before have sealed still opens. */
  use(dataKey: Uint8Array): void {
    this.#needed.add(this.keyId)
    this.#current = this.#add(dataKey)
  }

  /** To be called when all that is kept is sealed by the key in force; what is opened later is no longer kept. */
  settle(): void {
    this.#settled = true
    this.#needed.clear()
  }

  seal(purpose: string, plain: Uint8Array): Uint8Array {
    const nonce = randomBytes(nonceBytes)
    const header = Buffer.concat([Buffer.of(format), Buffer.from(this.keyId, 'hex'), nonce])
    return Buffer.concat([header, encrypt(this.#current.sealing, nonce, this.#associated(purpose), plain)])
  }

  /**
   * @throws AppError invalid, ERR_DATA_KEY_WRONG if another data key sealed it
   * @throws AppError corrupt, ERR_SEAL_BROKEN if it was damaged or sealed for another purpose or organization
   */
  unseal(purpose: string, sealed: Uint8Array): Uint8Array {
    if (sealed.length < headerBytes + tagBytes || sealed[0] !== format) throw broken(purpose)
    const keyId = keyIdOf(sealed)
    const key = this.#keys.get(keyId)
    if (!key) throw wrongKey(purpose, keyId, [...this.#keys.keys()])
    const nonce = sealed.subarray(1 + keyIdBytes, headerBytes)
    const plain = decrypt(key.sealing, nonce, this.#associated(purpose), sealed.subarray(headerBytes))
    if (!plain) throw broken(purpose)
    if (!this.#settled) this.#needed.add(keyId)
    return plain
  }

  /** @returns the same bytes if the key in force has sealed them, and otherwise the same content sealed by it */
  reseal(purpose: string, sealed: Uint8Array): Uint8Array {
    if (keyIdOf(sealed) === this.keyId) return sealed
    return this.seal(purpose, this.unseal(purpose, sealed))
  }

  #add(dataKey: Uint8Array): DerivedKey {
    const key = derive(dataKey)
    this.#keys.set(key.id, key)
    return key
  }

  #associated(purpose: string): Uint8Array {
    return Buffer.from(`holdfast/${format}/${this.organizationId}/${purpose}`)
  }
}

function derive(dataKey: Uint8Array): DerivedKey {
  if (dataKey.length !== keyBytes)
    throw new AppError('invalid', 'ERR_DATA_KEY_LENGTH', `the data key must be ${keyBytes} bytes`)
  const secret = (info: string) => new Uint8Array(hkdfSync('sha256', dataKey, '', info, keyBytes))
  return { id: dataKeyId(dataKey), sealing: secret('holdfast sealing key') }
}

const keyIdOf = (sealed: Uint8Array): string =>
  Buffer.from(sealed.subarray(1, 1 + keyIdBytes)).toString('hex')

function wrongKey(purpose: string, wanted: string, given: readonly string[]): AppError {
  const which = given.length === 1 ? `the key given is ${given[0]}` : `the keys given are ${given.join(', ')}`
  return new AppError(
    'invalid',
    'ERR_DATA_KEY_WRONG',
    `${purpose}: encrypted with data key ${wanted}, ${which}`,
  )
}

function broken(purpose: string): AppError {
  return new AppError('corrupt', 'ERR_SEAL_BROKEN', `${purpose}: damaged, or of another organization`)
}

/** @returns ciphertext and tag */
export function encrypt(
  key: Uint8Array,
  nonce: Uint8Array,
  associated: Uint8Array,
  plain: Uint8Array,
): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(associated)
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** @returns the plain bytes, or null if anything was changed */
export function decrypt(
  key: Uint8Array,
  nonce: Uint8Array,
  associated: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | null {
  const split = sealed.length - tagBytes
  if (split < 0) return null
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes })
  decipher.setAAD(associated)
  decipher.setAuthTag(sealed.subarray(split))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, split)), decipher.final()])
  } catch {
    return null
  }
}
