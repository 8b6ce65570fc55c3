import { describe, expect, test } from 'vitest'
import type { StateDocument } from '../../common/state-document.ts'
import { firstDocument } from './alone.ts'
import { withChangedPolicy, withDatabase, withoutPolicy, withPolicy } from './catalog-changes.ts'

const hourNs = 3_600_000_000_000n
const none = { durationNs: null, shardDurationNs: null, replication: null }
const empty = firstDocument('aaaaaaaaaaaaaaaa')
const id = '0000000000000001'
const created = withDatabase(empty, 'd', null, id)!
const only = (document: StateDocument | null) => document!.databases[0]!

describe('CREATE DATABASE and retention policies do what InfluxDB 1.8 does', () => {
  test('a database gets autogen, for ever, a week a shard', () => {
    expect(only(created)).toMatchObject({
      name: 'd',
      defaultRetentionPolicy: 'autogen',
      retentionPolicies: [{ name: 'autogen', durationNs: '0', shardDurationNs: String(168n * hourNs) }],
    })
  })

  test('creating again changes nothing, with another policy it is a conflict', () => {
    expect(withDatabase(created, 'd', null, id)).toBeNull()
    expect(withDatabase(created, 'd', { name: 'autogen', ...none }, id)).toBeNull()
    const other = { name: 'autogen', ...none, durationNs: 24n * hourNs }
    expect(() => withDatabase(created, 'd', other, id)).toThrow(
      'retention policy conflicts with an existing policy',
    )
  })

  test.each(['', '.', '..', 'a/b', 'a\\b', 'a\nb', 'x'.repeat(65)])('a name that cannot be: %j', (name) => {
    expect(() => withDatabase(empty, name, null, id)).toThrow('invalid name')
  })

  test.each([
    [0n, 168n],
    [1n, 1n],
    [47n, 1n],
    [48n, 24n],
    [24n * 180n, 168n],
  ])('a policy of %d h has shards of %d h', (hours, shardHours) => {
    const document = withPolicy(created, 'd', {
      name: 'p',
      isDefault: false,
      ...none,
      durationNs: hours * hourNs,
    })
    expect(only(document).retentionPolicies[1]).toEqual({
      name: 'p',
      durationNs: String(hours * hourNs),
      shardDurationNs: String(shardHours * hourNs),
    })
  })

  const policy = (more: object = {}) => ({
    name: 'p',
    isDefault: false,
    ...none,
    durationNs: 24n * hourNs,
    ...more,
  })
  const withP = withPolicy(created, 'd', policy())

  test('creating a policy again is fine if it is the same', () => {
    expect(withPolicy(withP, 'd', policy())).toEqual(withP)
    expect(() => withPolicy(withP, 'd', policy({ durationNs: 25n * hourNs }))).toThrow('already exists')
    expect(() => withPolicy(withP, 'd', policy({ isDefault: true }))).toThrow('conflicts')
  })

  test.each([
    ['too short', { durationNs: hourNs - 1n }, 'retention policy duration must be at least 1h0m0s'],
    ['below the shard', { shardDurationNs: 25n * hourNs }, 'must be greater than the shard duration'],
    ['bad name', { name: 'a/b' }, 'invalid name'],
  ])('a policy that cannot be: %s', (_name, more, message) => {
    expect(() => withPolicy(created, 'd', policy(more))).toThrow(message)
  })

  test('ALTER changes what it says and keeps the rest', () => {
    const altered = withChangedPolicy(withP, 'd', { ...policy(), durationNs: null, isDefault: true })
    expect(only(altered)).toMatchObject({ defaultRetentionPolicy: 'p' })
    expect(only(altered).retentionPolicies).toEqual(only(withP).retentionPolicies)
    expect(() => withChangedPolicy(created, 'd', policy())).toThrow('retention policy not found: p')
    expect(() => withChangedPolicy(created, 'nope', policy())).toThrow('database not found: nope')
  })

  test('DROP of what is not there is fine, of the last one it is not', () => {
    expect(withoutPolicy(created, 'd', 'p')).toBeNull()
    expect(withoutPolicy(created, 'nope', 'p')).toBeNull()
    expect(only(withoutPolicy(withP, 'd', 'p')).retentionPolicies).toHaveLength(1)
    expect(() => withoutPolicy(created, 'd', 'autogen')).toThrow('is the only one')
  })

  test('the number of databases is limited', () => {
    const full = { ...created, limits: { ...created.limits, databases: 1 } }
    expect(() => withDatabase(full, 'e', null, id)).toThrow('limit of 1 databases')
  })
})
