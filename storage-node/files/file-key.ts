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

/** @returns the entry with its key as the data key in force seals it; the same entry if it did */
export function resealed<T extends { readonly name: string; readonly sealedKey: string }>(
  keyring: Keyring,
  entry: T,
): T {
  const before = Buffer.from(entry.sealedKey, 'base64')
  const sealed = keyring.reseal(purposeOf(entry.name), before)
  return sealed === before ? entry : { ...entry, sealedKey: Buffer.from(sealed).toString('base64') }
}
