import type { Keyring } from '../crypto/keyring.ts'

/** A file's own key as the manifest keeps it: sealed for the file's name, base64. */
const purposeOf = (name: string): string => `files/${name}`

export function sealFileKey(keyring: Keyring, name: string, key: Uint8Array): string {
  return Buffer.from(keyring.seal(purposeOf(name), key)).toString('base64')
}

/** @throws AppError corrupt, ERR_SEAL_BROKEN; invalid, ERR_DATA_KEY_WRONG */
export function unsealFileKey(keyring: Keyring, name: string, sealedKey: string): Uint8Array {
  return keyring.unseal(purposeOf(name), Buffer.from(sealedKey, 'base64'))
}
