import { expect, test } from 'vitest'
import { PassMemory } from './memory.ts'

// A token's id is the start of a hash that anybody may write into a Token of their own: what one organization's nodes have
// revoked must say nothing about another's.

test('a revocation counts for the organization whose node said it', () => {
  const memory = new PassMemory()
  memory.revoke('aaaaaaaaaaaaaaaa', '1e92e3020ca7d717')
  expect(memory.isRevoked('aaaaaaaaaaaaaaaa', '1e92e3020ca7d717')).toBe(true)
  expect(memory.isRevoked('bbbbbbbbbbbbbbbb', '1e92e3020ca7d717')).toBe(false)
})
