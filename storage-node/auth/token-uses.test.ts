import { expect, test } from 'vitest'
import { tokenUsesLimit } from '../../common/admin-api.ts'
import { UsedTokens } from './token-uses.ts'

// Promise: the last use of each token is known to the minute, and what is remembered has an end.

const nowMs = Date.parse('2026-11-24T12:00:59.999Z')

test('the last use of each, to the minute, those used last at the end', () => {
  const used = new UsedTokens()
  used.note('a', nowMs)
  used.note('b', nowMs)
  used.note('a', nowMs + 60_000)
  expect(used.report().uses).toEqual([
    { id: 'b', lastUsedAt: '2026-11-24T12:00:00.000Z' },
    { id: 'a', lastUsedAt: '2026-11-24T12:01:00.000Z' },
  ])
})

test('of more than there is room for, those used last', () => {
  const used = new UsedTokens()
  for (let token = 0; token < tokenUsesLimit; token += 1) used.note(`token ${token}`, nowMs)
  used.note('token 0', nowMs + 60_000)
  used.note('one more', nowMs + 60_000)
  const ids = used.report().uses.map(({ id }) => id)
  expect(ids).toHaveLength(tokenUsesLimit)
  expect(ids).not.toContain('token 1')
  expect(ids.slice(-2)).toEqual(['token 0', 'one more'])
})
