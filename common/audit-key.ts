import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from 'node:crypto'
import { AppError } from './errors.ts'

/**
 * The keys of an audit stream (X25519, RFC 7748), 32 bytes each. Who writes a stream has the public one and cannot read
 * what was sealed to it; the private one is for whoever verifies. A file of either has one line, its base64.
 */
export const auditKeyBytes = 32
const tagBytes = 16

/** What stands before the 32 bytes in the forms that Node takes (RFC 8410). */
const privatePrefix = Buffer.from('302e020100300506032b656e04220420', 'hex')
const publicPrefix = Buffer.from('302a300506032b656e032100', 'hex')

const rawOf = (key: Buffer): Buffer => key.subarray(-auditKeyBytes)

const privateObject = (raw: Uint8Array): KeyObject =>
  createPrivateKey({ key: Buffer.concat([privatePrefix, raw]), format: 'der', type: 'pkcs8' })

const publicObject = (raw: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.concat([publicPrefix, raw]), format: 'der', type: 'spki' })

export function makeAuditPrivateKey(): Buffer {
  const { privateKey } = generateKeyPairSync('x25519')
  return rawOf(privateKey.export({ format: 'der', type: 'pkcs8' }))
}

export function auditPublicKey(privateKey: Uint8Array): Buffer {
  return rawOf(createPublicKey(privateObject(privateKey)).export({ format: 'der', type: 'spki' }))
}

/** Tells keys apart: 16 hex digits. */
export function auditKeyId(publicKey: Uint8Array): string {
  return createHash('sha256').update(publicKey).digest('hex').slice(0, 16)
}

/** @throws AppError invalid, ERR_AUDIT_KEY, without the text */
export function parseAuditKey(text: string): Buffer {
  const line = text.trim()
  const key = Buffer.from(line, 'base64')
  if (key.length === auditKeyBytes && key.toString('base64') === line) return key
  throw new AppError('invalid', 'ERR_AUDIT_KEY', `base64 of ${auditKeyBytes} bytes expected`)
}

export function auditKeyText(key: Uint8Array): string {
  return `${Buffer.from(key).toString('base64')}\n`
}

/**
 * What only the private key opens: a public key of this once (32), ciphertext, tag (16). AES-256-GCM by a key that
 * HKDF-SHA256 makes of the secret that both share; it seals once, so its nonce is zero.
 * @param associated must be the same to open it
 */
export function sealToAuditKey(publicKey: Uint8Array, associated: string, plain: Uint8Array): Buffer {
  const own = generateKeyPairSync('x25519')
  const ownPublic = rawOf(own.publicKey.export({ format: 'der', type: 'spki' }))
  const secret = diffieHellman({ privateKey: own.privateKey, publicKey: publicObject(publicKey) })
  const key = sealingKey(secret, ownPublic, publicKey)
  const cipher = createCipheriv('aes-256-gcm', key, zeroNonce).setAAD(Buffer.from(associated))
  const sealed = Buffer.concat([ownPublic, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
  secret.fill(0)
  key.fill(0)
  return sealed
}

/** Who verifies. */
export class AuditOpener {
  readonly #privateKey: KeyObject
  readonly #publicKey: Buffer
  /** Of the public key. */
  readonly keyId: string

  /** @param privateKey 32 bytes */
  constructor(privateKey: Uint8Array) {
    this.#privateKey = privateObject(privateKey)
    this.#publicKey = auditPublicKey(privateKey)
    this.keyId = auditKeyId(this.#publicKey)
  }

  /** @returns null if it was sealed to another key or for something else, or was changed */
  open(associated: string, sealed: Uint8Array): Buffer | null {
    const split = sealed.length - tagBytes
    if (split < auditKeyBytes) return null
    const theirs = sealed.subarray(0, auditKeyBytes)
    try {
      const secret = diffieHellman({ privateKey: this.#privateKey, publicKey: publicObject(theirs) })
      const key = sealingKey(secret, theirs, this.#publicKey)
      const decipher = createDecipheriv('aes-256-gcm', key, zeroNonce, { authTagLength: tagBytes })
      decipher.setAAD(Buffer.from(associated)).setAuthTag(sealed.subarray(split))
      return Buffer.concat([decipher.update(sealed.subarray(auditKeyBytes, split)), decipher.final()])
    } catch {
      return null
    }
  }
}

const zeroNonce = Buffer.alloc(12)

function sealingKey(secret: Uint8Array, ownPublic: Uint8Array, publicKey: Uint8Array): Buffer {
  const salt = Buffer.concat([ownPublic, publicKey])
  return Buffer.from(hkdfSync('sha256', secret, salt, 'holdfast audit key 1', auditKeyBytes))
}
