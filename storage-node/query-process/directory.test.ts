import { expect, test } from 'vitest'
import { directoryOf, rowsOfSeries } from './directory.ts'

// Attacks the promise that each row of a file belongs to exactly one series, also where pieces of it meet.

test('series that go on from one piece into the next', () => {
  const directory = directoryOf([
    Uint32Array.of(3, 3, 5),
    Uint32Array.of(),
    Uint32Array.of(5, 9),
    Uint32Array.of(9),
  ])
  expect([2, 3, 4, 5, 9, 10].map((id) => rowsOfSeries(directory, id))).toEqual([
    null,
    { from: 0, end: 2 },
    null,
    { from: 2, end: 4 },
    { from: 4, end: 6 },
    null,
  ])
  expect(directory.rowCount).toBe(6)
})

test('nothing', () => {
  expect(rowsOfSeries(directoryOf([]), 0)).toBeNull()
})

test('series that fall are no file of ours', () => {
  expect(() => directoryOf([Uint32Array.of(3), Uint32Array.of(2)])).toThrow('do not ascend')
})
