import { describe, expect, test } from 'vitest'
import type { Run } from '../buffer/merge.ts'
import { matchingRows, type Matching } from './matching.ts'

// Attacks the promise that no point is left out which a condition may want, and that the others are.

const run: Run = {
  times: BigInt64Array.of(1n, 2n, 3n, 4n),
  columns: [
    { type: 'float', values: Float64Array.of(1, 2, 3, 0), present: Uint8Array.of(1, 1, 1, 0) },
    { type: 'integer', values: BigInt64Array.of(5n, 6n, 7n, 8n), present: null },
    { type: 'boolean', values: Uint8Array.of(1, 0, 1, 0), present: null },
    { type: 'string', values: ['a', 'b', 'a', 'b'], present: null },
    null,
  ],
}

const timesOf = (comparisons: Matching['comparisons'], beforeNs = 100n): bigint[] => [
  ...(matchingRows(run, { comparisons, beforeNs })?.times ?? []),
]

describe('points', () => {
  test.each([
    [{ column: 0, operator: '>', value: 1 }, [2n, 3n]],
    [{ column: 0, operator: '>=', value: 1 }, [1n, 2n, 3n]],
    [{ column: 0, operator: '!=', value: 2 }, [1n, 3n]],
    [{ column: 0, operator: '<', value: 2 }, [1n]],
    [{ column: 1, operator: '<=', value: 6n }, [1n, 2n]],
    [{ column: 1, operator: '=', value: 8n }, [4n]],
    [{ column: 2, operator: '=', value: true }, [1n, 3n]],
    [{ column: 2, operator: '!=', value: true }, [2n, 4n]],
    [{ column: 3, operator: '=', value: 'b' }, [2n, 4n]],
    [{ column: 4, operator: '!=', value: 1 }, []],
  ] as const)('by column $0.column, case %#', (comparison, times) => {
    expect(timesOf([comparison])).toEqual(times)
  })

  test('all have to hold', () => {
    expect(
      timesOf([
        { column: 0, operator: '>', value: 1 },
        { column: 2, operator: '=', value: true },
      ]),
    ).toEqual([3n])
  })

  test('from the time on where something newer may come, all stay', () => {
    expect(timesOf([{ column: 0, operator: '>', value: 2 }], 2n)).toEqual([2n, 3n, 4n])
  })

  test('values stay with their times', () => {
    const matching = { comparisons: [{ column: 0, operator: '=', value: 3 }], beforeNs: 100n } as const
    expect(matchingRows(run, matching)?.columns[3]?.values).toEqual(['a'])
  })
})
