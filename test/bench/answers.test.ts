import { describe, expect, test } from 'vitest'
import { difference, errorOf, hasValues } from './answers.ts'

// Promise: no query is timed whose answer is not the peer's; and no rounding or order of rows of one time is taken for a difference.

const answer = (...values: unknown[]) => ({ results: [{ series: [{ name: 'cpu', values }] }] })

describe('two answers', () => {
  test.each([
    ['the same', answer([1, 2]), answer([1, 2])],
    ['a float of another rounding', answer([1, 0.1 + 0.2]), answer([1, 0.3])],
    ['rows in another order', answer([1, 'a'], [1, 'b']), answer([1, 'b'], [1, 'a'])],
  ])('%s are no difference', (_, ours, theirs) => expect(difference(ours, theirs)).toBeNull())

  test.each([
    ['another number', answer([1, 2]), answer([1, 2.000001])],
    ['a row less', answer([1, 2]), answer([1, 2], [2, 2])],
    ['null for a number', answer([1, null]), answer([1, 0])],
    ['a key more', { results: [], error: 'x' }, { results: [] }],
    ['a string for a number', answer(['1', 2]), answer([1, 2])],
  ])('%s is one', (_, ours, theirs) => expect(difference(ours, theirs)).toMatch(/^\$/))

  test('the order of series counts', () => {
    const series = (...names: string[]) => ({ series: names.map((name) => ({ name })) })
    expect(difference(series('a', 'b'), series('b', 'a'))).toBe('$.series[0].name: "a" and "b"')
  })
})

test('values and errors are found in the answers of both languages', () => {
  expect(hasValues(JSON.stringify(answer([1, 2])))).toBe(true)
  expect(hasValues('{"data":{"result":[{"metric":{},"value":[1,"2"]}]}}')).toBe(true)
  expect(hasValues('{"results":[{"statement_id":0}]}')).toBe(false)
  expect(errorOf('{"results":[{"statement_id":0,"error":"too much"}]}')).toBe('too much')
  expect(errorOf('{"results":[{"statement_id":0}]}')).toBeNull()
})
