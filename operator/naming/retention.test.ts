import { describe, expect, test } from 'vitest'
import { annotationKeys } from './labels.ts'
import { provenRetention, retentionAnnotations, transferTarget } from './retention.ts'

// A record of retained data proves whose it was: nobody without the operator's key can make, change or move one.

const key = Buffer.alloc(32, 7)
const id = '0123456789abcdef'
const owner = { namespace: 'marketing', name: 'marketing', uid: '5d2b' }
const retention = { since: '2026-11-23T00:00:00.000Z', namespaceUid: '77aa' }

describe('the record of retained data', () => {
  const annotations = retentionAnnotations(key, id, owner, retention)

  test('proves what it says', () => expect(provenRetention(key, id, owner, annotations)).toEqual(retention))

  test('does not change from one release to the next', () =>
    expect(annotations[annotationKeys.retainedMac]).toMatch(/^[0-9a-f]{64}$/))

  test.each([
    ['another namespace', { ...annotations, [annotationKeys.retainedNamespaceUid]: 'other' }],
    ['another time', { ...annotations, [annotationKeys.retainedSince]: 'now' }],
    ['no MAC', { ...annotations, [annotationKeys.retainedMac]: '' }],
    ['the time alone', { [annotationKeys.retainedSince]: retention.since }],
    ['nothing', undefined],
  ])('%s proves nothing', (_, changed) => expect(provenRetention(key, id, owner, changed)).toBeNull())

  test.each([
    ['another id', 'f'.repeat(16), owner],
    ['another owner', id, { ...owner, uid: 'other' }],
    ['another namespace of the owner', id, { ...owner, namespace: 'sales' }],
  ])('it cannot be moved to %s', (_, ofId, ofOwner) =>
    expect(provenRetention(key, ofId, ofOwner, annotations)).toBeNull(),
  )
})

test('a transfer names a namespace and its uid', () =>
  expect(transferTarget({ name: 'sales', uid: '77aa' })).toBe('sales/77aa'))
