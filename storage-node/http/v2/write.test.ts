import { describe, expect, test } from 'vitest'
import { firstDocument } from '../../state/alone.ts'
import { withDatabase } from '../../state/catalog-changes.ts'
import { databaseOfBucket, requireOrganization } from './write.ts'

const own = 'aaaaaaaaaaaaaaaa'
const id = '0123456789abcdef'
const document = withDatabase(firstDocument(own), 'metrics', null, id)!

describe('a bucket is a database by name or id, or database/policy', () => {
  test.each([
    ['metrics', 'metrics', true, null],
    [id, 'metrics', true, null],
    ['metrics/autogen', 'metrics', true, 'autogen'],
    ['metrics/', 'metrics', true, null],
    ['metrics/a/b', 'metrics', true, 'a/b'],
    ['nope', 'nope', false, null],
    ['nope/autogen', 'nope', false, 'autogen'],
  ])('%s', (bucket, name, found, retentionPolicy) => {
    const target = databaseOfBucket(document, bucket)
    expect({ ...target, database: target.database !== null }).toEqual({
      name,
      database: found,
      retentionPolicy,
    })
  })
})

describe('the organization of the token is the only one that there is', () => {
  test.each([
    '',
    'org=holdfast',
    'org=Holdfast',
    `org=${own}`,
    `orgID=${own}`,
    'org=',
    `org=holdfast&orgID=${own}`,
  ])('itself: %s', (query) => {
    expect(() => requireOrganization(document, new URLSearchParams(query))).not.toThrow()
  })

  test.each([
    ['org=other', 'other'],
    ['org=bbbbbbbbbbbbbbbb', 'bbbbbbbbbbbbbbbb'],
    ['orgID=bbbbbbbbbbbbbbbb', 'bbbbbbbbbbbbbbbb'],
    ['orgID=holdfast', 'holdfast'],
    ['org=holdfast&org=other', 'other'],
    [`orgID=${own}&org=other`, 'other'],
  ])('another, whether it exists or not: %s', (query, named) => {
    expect(() => requireOrganization(document, new URLSearchParams(query))).toThrow(
      `organization name "${named}" not found`,
    )
  })
})
