import { expect, test } from 'vitest'
import { seriesThatFit, shares } from './shares.ts'

/** Promise: budgets follow the memory limit, down to the smallest one, and from the chart's default on in proportion. */

const mebibyte = 1_048_576

test.each([
  { limitMib: 128, flushMib: 6, refuseMib: 18, cellsPerFile: 1_000_000 },
  { limitMib: 256, flushMib: 6, refuseMib: 19.2, cellsPerFile: 1_000_000 },
  { limitMib: 352, flushMib: 16, refuseMib: 48, cellsPerFile: 2_500_000 },
  { limitMib: 512, flushMib: 32, refuseMib: 96, cellsPerFile: 5_000_000 },
  { limitMib: 1_024, flushMib: 64, refuseMib: 192, cellsPerFile: 5_000_000 },
])('of $limitMib MiB', ({ limitMib, flushMib, refuseMib, cellsPerFile }) => {
  const { flushBytes, refuseBytes, ...rest } = shares(limitMib * mebibyte)
  expect(Math.floor(flushBytes / mebibyte)).toBe(flushMib)
  expect(refuseBytes / mebibyte).toBeCloseTo(refuseMib)
  expect(rest.cellsPerFile).toBe(cellsPerFile)
})

test('buffers grow with the limit, and the smallest have room beyond what is flushed', () => {
  let before = shares(64 * mebibyte)
  expect(before.refuseBytes).toBeGreaterThan(2 * before.flushBytes)
  for (let limitMib = 65; limitMib <= 1_024; limitMib++) {
    const { flushBytes, refuseBytes, cellsPerFile } = shares(limitMib * mebibyte)
    expect(flushBytes).toBeGreaterThanOrEqual(before.flushBytes)
    expect(refuseBytes).toBeGreaterThanOrEqual(before.refuseBytes)
    expect(cellsPerFile).toBeGreaterThanOrEqual(before.cellsPerFile)
    before = { ...before, flushBytes, refuseBytes, cellsPerFile }
  }
})

test.each([
  [64, 20_000],
  [256, 167_772],
  [383, 334_233],
  [384, null],
])('series that fit into %d MiB', (limitMib, series) => {
  expect(seriesThatFit(limitMib * mebibyte)).toBe(series)
})
