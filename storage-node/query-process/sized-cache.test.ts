import { expect, test } from 'vitest'
import { SizedCache } from './sized-cache.ts'

// Attacks the promise that what is kept stays within its bytes, and that what was used lately is kept.

const value = (sizeBytes: number) => ({ sizeBytes })

test('what was used longest ago goes first', () => {
  const cache = new SizedCache(100)
  for (const key of ['a', 'b', 'c', 'd']) cache.set(key, value(25))
  expect(cache.get('a')).toBeDefined()
  cache.set('e', value(20))
  expect(['a', 'b', 'c', 'd', 'e'].filter((key) => cache.get(key))).toEqual(['a', 'c', 'd', 'e'])
  expect(cache.sizeBytes).toBe(95)
})

test('a value put in the place of another counts once, and a large one is not kept at all', () => {
  const cache = new SizedCache(100)
  cache.set('a', value(20))
  cache.set('a', value(10))
  expect(cache.sizeBytes).toBe(10)
  cache.set('a', value(51))
  expect(cache.get('a')).toBeUndefined()
  expect(cache.sizeBytes).toBe(0)
})
