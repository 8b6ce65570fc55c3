import { describe, expect, test } from 'vitest'
import { storageNodeDnsNames } from './addresses.ts'
import { annotationKeys, isPaused } from './labels.ts'
import { ownerAnnotations, provenOwner } from './owner.ts'

// An owner record proves who a namespace was made for: nobody without the operator's key can make, change or move one.

const key = Buffer.alloc(32, 7)
const id = '0123456789abcdef'
const owner = { namespace: 'marketing', name: 'marketing', uid: '5d2b' }

describe('the owner record', () => {
  const annotations = ownerAnnotations(key, id, owner)

  test('proves its owner', () => expect(provenOwner(key, id, annotations)).toEqual(owner))

  test('does not change from one release to the next', () =>
    expect(annotations[annotationKeys.ownerMac]).toBe(
      '30150bfbb0e7af2126e5a7f3152f067c7637918a58c7be53df2eff3b578c400b',
    ))

  test.each([
    ['another owner', { ...annotations, [annotationKeys.ownerUid]: 'other' }],
    ['a name that runs into the next', { ...annotations, [annotationKeys.ownerName]: 'marketing\n5d2b' }],
    ['no MAC', { ...annotations, [annotationKeys.ownerMac]: '' }],
    [
      'part of a MAC',
      { ...annotations, [annotationKeys.ownerMac]: annotations[annotationKeys.ownerMac]!.slice(1) },
    ],
    ['nothing', undefined],
  ])('%s proves nothing', (_, changed) => expect(provenOwner(key, id, changed)).toBeNull())

  test('it cannot be moved to another namespace', () =>
    expect(provenOwner(key, 'f'.repeat(16), annotations)).toBeNull())

  test('another key proves nothing', () =>
    expect(provenOwner(Buffer.alloc(32, 8), id, annotations)).toBeNull())
})

test('addresses', () => {
  expect(storageNodeDnsNames(id, 1, 'cluster.local')).toEqual([
    'storage-node.holdfast-0123456789abcdef.svc',
    'storage-node.holdfast-0123456789abcdef.svc.cluster.local',
    'storage-node-0.storage-node.holdfast-0123456789abcdef.svc',
    'storage-node-0.storage-node.holdfast-0123456789abcdef.svc.cluster.local',
  ])
})

test('paused is the word true and nothing else', () => {
  expect(isPaused({ annotations: { [annotationKeys.paused]: 'true' } })).toBe(true)
  expect(isPaused({ annotations: { [annotationKeys.paused]: 'yes' } })).toBe(false)
  expect(isPaused({})).toBe(false)
})
