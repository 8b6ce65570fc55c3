import { describe, expect, test } from 'vitest'
import { tokenId } from './ids.ts'
import { hashToken, mintToken, parseToken } from './token.ts'

// A token names its organization, is told from a mistyped one without asking anybody, and carries 256 random bits.

const organizationId = '0123456789abcdef'

describe('token strings', () => {
  test('has the documented form for the smallest and the largest random value', () => {
    const smallest = mintToken(organizationId, new Uint8Array(32))
    const largest = mintToken(organizationId, new Uint8Array(32).fill(255))
    for (const token of [smallest, largest]) {
      expect(token).toMatch(/^hfd_0123456789abcdef_[0-9A-Za-z]{43}[0-9A-Za-z]{6}$/)
      expect(parseToken(token)).toEqual({ organizationId })
    }
    expect(smallest).not.toBe(largest)
  })

  test('two minted tokens differ', () => {
    expect(mintToken(organizationId)).not.toBe(mintToken(organizationId))
  })

  test('every single changed character is noticed', () => {
    const token = mintToken(
      organizationId,
      new Uint8Array(32).map((_, index) => index),
    )
    for (let index = 0; index < token.length; index++) {
      const changed = token.slice(0, index) + (token[index] === 'a' ? 'b' : 'a') + token.slice(index + 1)
      expect(parseToken(changed), `position ${index}`).toBeNull()
    }
  })

  test.each(['', 'hfd_', 'admin:password', `hfd_${organizationId}_short`, ` ${mintToken(organizationId)}`])(
    'refuses %j',
    (text) => expect(parseToken(text)).toBeNull(),
  )

  test('refuses an organization id of another form, and too little randomness', () => {
    expect(() => mintToken('Marketing')).toThrow(/16 lower-case hex digits/)
    expect(() => mintToken(organizationId, new Uint8Array(31))).toThrow(/32 bytes/)
  })

  test('its id is the start of its hash', () => {
    // SHA-256("abc"), FIPS 180-2 appendix B.1
    expect(hashToken('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
    expect(tokenId(hashToken('abc'))).toBe('ba7816bf8f01cfea')
  })
})
