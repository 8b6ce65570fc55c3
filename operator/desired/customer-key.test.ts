import { describe, expect, test } from 'vitest'
import { dataKeyId } from '../../common/data-key.ts'
import type { KubeObject } from '../kube/object.ts'
import {
  customerKeyIn,
  deriveDataKey,
  isCustomers,
  keyLockOf,
  unlockedKeys,
  withKeysLocked,
} from './customer-key.ts'
import { dataKeySecret, storedDataKeys, withDataKeys } from './secrets.ts'

// A data key that a customer's key makes is the same as long as its salt is, and nothing that is stored leads back to it.

const [first, older, salt, nonce] = [1, 2, 3, 4].map((byte) => Buffer.alloc(32, byte)) as [
  Buffer,
  Buffer,
  Buffer,
  Buffer,
]
const at = new Date('2026-01-02T03:04:05Z')
const since = new Date('2026-01-01T00:00:00Z')
const base64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64')
const customersSecret = (data: Readonly<Record<string, string>>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'mine' },
  data,
})

test('the derivation never changes: data that are sealed by it depend on it', () => {
  expect(Buffer.from(deriveDataKey(first, salt)).toString('hex')).toMatchInlineSnapshot(
    `"0ac13b03de768a54219baff9cddee5166390b113319920b591e9762033cf9518"`,
  )
  expect(deriveDataKey(first, older)).not.toEqual(deriveDataKey(first, salt))
})

describe('a customer’s key', () => {
  test.each([
    ['32 bytes', base64(first)],
    ['base64 of 32 bytes', base64(base64(first))],
    ['the same with a line end', base64(`${base64(first)}\n`)],
  ])('may be %s', (_, value) =>
    expect(customerKeyIn(customersSecret({ key: value }), 'key')).toEqual({ state: 'usable', key: first }),
  )

  test.each([
    ['31 bytes', base64(first.subarray(1))],
    ['33 bytes', base64(Buffer.alloc(33))],
    ['nothing', ''],
    ['two keys', base64(`${base64(first)}\n${base64(older)}`)],
    ['hexadecimal', base64(first.toString('hex'))],
  ])('may not be %s', (_, value) =>
    expect(customerKeyIn(customersSecret({ key: value }), 'key')).toEqual({ state: 'unusable' }),
  )

  test('is missing without its Secret or its entry', () => {
    expect(customerKeyIn(null, 'key')).toEqual({ state: 'missing' })
    expect(customerKeyIn(customersSecret({ other: base64(first) }), 'key')).toEqual({ state: 'missing' })
    expect(customerKeyIn(customersSecret({}), 'constructor')).toEqual({ state: 'missing' })
  })
})

describe('locked', () => {
  const customer = { salt, keyIds: [dataKeyId(first)] }
  const stored = { keys: [first, older], since, customer }
  const secret = dataKeySecret('0123456789abcdef', stored)
  const locked = withKeysLocked(secret, stored, at, nonce.subarray(0, 12))

  test('the Secret holds no key, and the entry that pods mount', () => {
    const text = JSON.stringify(locked)
    for (const key of stored.keys) {
      expect(text).not.toContain(base64(key))
      expect(text).not.toContain(base64(base64(key)).slice(0, 40))
    }
    expect((locked['data'] as object)['data-key' as never]).toBe('')
    expect(() => storedDataKeys(locked)).toThrow('base64 of 32 bytes expected')
  })

  test('it says since when, and which key is needed', () =>
    expect(keyLockOf(locked)).toEqual({
      since: at.toISOString(),
      keyId: dataKeyId(first),
      salt,
      keySince: since.toISOString(),
    }))

  test('with that key all is as it was, and with another one nothing', () => {
    expect(unlockedKeys(locked, first)).toEqual(stored)
    expect(withDataKeys(locked, unlockedKeys(locked, first))).toEqual(secret)
    expect(() => unlockedKeys(locked, older)).toThrow('authenticate data')
    expect(keyLockOf(secret)).toBeNull()
  })

  test('a key alone needs nothing sealed', () => {
    const alone = { ...stored, keys: [first] }
    const lockedAlone = withKeysLocked(secret, alone, at, nonce.subarray(0, 12))
    expect(Object.keys(lockedAlone['data'] as object).toSorted()).toEqual(['data-key', 'salt'])
    expect(unlockedKeys(lockedAlone, first)).toEqual(alone)
  })

  test('a generated key is never locked away: nobody could bring it back', () => {
    expect(isCustomers(stored)).toBe(true)
    const mixed = { ...stored, keys: [older, first] }
    expect(isCustomers(mixed)).toBe(false)
    expect(isCustomers({ ...stored, customer: null })).toBe(false)
  })
})

test('the salt goes with the last key that was derived with it', () => {
  const customer = { salt, keyIds: [dataKeyId(first)] }
  const both = dataKeySecret('0123456789abcdef', { keys: [older, first], since, customer })
  expect(storedDataKeys(both).customer).toEqual(customer)
  const generated = withDataKeys(both, { keys: [older], since, customer })
  expect(storedDataKeys(generated).customer).toBeNull()
  expect(generated).toEqual(dataKeySecret('0123456789abcdef', { keys: [older], since, customer: null }))
})
