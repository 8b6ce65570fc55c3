import { describe, expect, test } from 'vitest'
import { Keyring } from './keyring.ts'

/** Promise: what is sealed opens with the same data key, for the same organization and purpose, unchanged, or not at all. */

const organization = '0123456789abcdef'
const keyring = new Keyring(organization, new Uint8Array(32).fill(1))
const plain = Buffer.from('the key of a file')

describe('sealing', () => {
  test('opens again', () => {
    expect(Buffer.from(keyring.unseal('file', keyring.seal('file', plain)))).toEqual(plain)
    expect(keyring.unseal('file', keyring.seal('file', new Uint8Array(0)))).toHaveLength(0)
  })

  test('is never the same twice and shows nothing', () => {
    const [a, b] = [keyring.seal('file', plain), keyring.seal('file', plain)]
    expect(Buffer.from(a).equals(b)).toBe(false)
    expect(Buffer.from(a).includes(plain)).toBe(false)
  })

  test('another data key is told as such', () => {
    const other = new Keyring(organization, new Uint8Array(32).fill(2))
    expect(() => other.unseal('file', keyring.seal('file', plain))).toThrow(
      expect.objectContaining({ kind: 'invalid', code: 'ERR_DATA_KEY_WRONG' }),
    )
  })

  test('another purpose or organization does not open it', () => {
    const other = new Keyring('fedcba9876543210', new Uint8Array(32).fill(1))
    const sealed = keyring.seal('file', plain)
    expect(() => keyring.unseal('other file', sealed)).toThrow(expect.objectContaining({ kind: 'corrupt' }))
    expect(() => other.unseal('file', sealed)).toThrow(expect.objectContaining({ kind: 'corrupt' }))
  })

  test('every flipped bit and every cut is found', () => {
    const sealed = keyring.seal('file', plain)
    for (let at = 0; at < sealed.length; at++) {
      const changed = Uint8Array.from(sealed)
      changed[at]! ^= 1
      expect(() => keyring.unseal('file', changed), `byte ${at}`).toThrow(/damaged|encrypted with data key/)
      expect(() => keyring.unseal('file', sealed.subarray(0, at))).toThrow('damaged')
    }
  })
})

describe('another data key in force', () => {
  const [old, fresh] = [1, 2].map((byte) => new Uint8Array(32).fill(byte))
  const before = new Keyring(organization, old!)

  test('what older keys have sealed opens, and is told until it is sealed anew', () => {
    const sealed = before.seal('file', plain)
    const both = new Keyring(organization, fresh!, [old!])
    expect(both.olderKeyIds).toEqual([])
    expect(Buffer.from(both.unseal('file', sealed))).toEqual(plain)
    expect(both.olderKeyIds).toEqual([before.keyId])
    const resealed = both.reseal('file', sealed)
    expect(both.reseal('file', resealed)).toBe(resealed)
    both.settle()
    expect(both.olderKeyIds).toEqual([])
    expect(Buffer.from(new Keyring(organization, fresh!).unseal('file', resealed))).toEqual(plain)
    expect(() => before.unseal('file', resealed)).toThrow(`the key given is ${before.keyId}`)
  })

  test('one that comes into force at work makes the one before an older one', () => {
    const keyring = new Keyring(organization, old!)
    keyring.use(old!)
    expect(keyring.olderKeyIds).toEqual([])
    keyring.use(fresh!)
    expect(keyring.olderKeyIds).toEqual([before.keyId])
    expect(Buffer.from(keyring.unseal('file', before.seal('file', plain)))).toEqual(plain)
    expect(
      Buffer.from(new Keyring(organization, fresh!).unseal('file', keyring.seal('file', plain))),
    ).toEqual(plain)
  })

  test('what is sealed by none of the keys names all that were given', () => {
    const both = new Keyring(organization, fresh!, [old!])
    const third = new Keyring(organization, new Uint8Array(32).fill(3))
    expect(() => both.unseal('file', third.seal('file', plain))).toThrow(
      `file: encrypted with data key ${third.keyId}, the keys given are ${before.keyId}, ${both.keyId}`,
    )
  })
})

test.each([0, 16, 31, 33])('a data key of %i bytes is refused', (length) => {
  expect(() => new Keyring(organization, new Uint8Array(length))).toThrow('the data key must be 32 bytes')
})
