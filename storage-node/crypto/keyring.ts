import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import { AppError } from '../../common/errors.ts'

export const keyBytes = 32
export const nonceBytes = 12
export const tagBytes = 16

const format = 1
const keyIdBytes = 8
const headerBytes = 1 + keyIdBytes + nonceBytes

/**
 * What only the organization's data key opens. Sealed bytes: format (1), key id (8), nonce (12), ciphertext, tag (16);
 * AES-256-GCM with a key derived from the data key. The associated data name the organization and the purpose, so that
 * nothing sealed for one place opens in another.
 */
export class Keyring {
  readonly organizationId: string
  /** Tells data keys apart and says nothing about them: 16 hex digits. */
  readonly keyId: string
  readonly #key: Uint8Array

  /** @param dataKey 32 bytes */
  constructor(organizationId: string, dataKey: Uint8Array) {
    if (dataKey.length !== keyBytes) {
      throw new AppError('invalid', 'ERR_DATA_KEY_LENGTH', `the data key must be ${keyBytes} bytes`)
    }
    this.organizationId = organizationId
    this.#key = new Uint8Array(hkdfSync('sha256', dataKey, '', 'holdfast sealing key', keyBytes))
    const id = new Uint8Array(hkdfSync('sha256', dataKey, '', 'holdfast key id', keyBytes))
    this.keyId = createHash('sha256')
      .update(id)
      .digest('hex')
      .slice(0, keyIdBytes * 2)
  }

  seal(purpose: string, plain: Uint8Array): Uint8Array {
    const nonce = randomBytes(nonceBytes)
    const header = Buffer.concat([Buffer.of(format), Buffer.from(this.keyId, 'hex'), nonce])
    return Buffer.concat([header, encrypt(this.#key, nonce, this.#associated(purpose), plain)])
  }

  /**
   * @throws AppError invalid, ERR_DATA_KEY_WRONG if another data key sealed it
   * @throws AppError corrupt, ERR_SEAL_BROKEN if it was damaged or sealed for another purpose or organization
   */
  unseal(purpose: string, sealed: Uint8Array): Uint8Array {
    if (sealed.length < headerBytes + tagBytes || sealed[0] !== format) throw broken(purpose)
    const keyId = Buffer.from(sealed.subarray(1, 1 + keyIdBytes)).toString('hex')
    if (keyId !== this.keyId) {
      throw new AppError(
        'invalid',
        'ERR_DATA_KEY_WRONG',
        `the data were encrypted with data key ${keyId}, the key given is ${this.keyId}`,
      )
    }
    const nonce = sealed.subarray(1 + keyIdBytes, headerBytes)
    const plain = decrypt(this.#key, nonce, this.#associated(purpose), sealed.subarray(headerBytes))
    if (!plain) throw broken(purpose)
    return plain
  }

  #associated(purpose: string): Uint8Array {
    return Buffer.from(`holdfast/${format}/${this.organizationId}/${purpose}`)
  }
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
