import { pickedRows, type Run } from '../buffer/merge.ts'
import { firstNotBefore, splitTime, timeWords } from '../buffer/time-order.ts'
import type { Column, FieldComparison } from './reader.ts'

/** Comparisons that points before a time have to pass: later ones may not be merged yet with what is newer. */
export interface Matching {
  readonly comparisons: readonly {
    /** Its place among the columns of a run. */
    readonly column: number
    readonly operator: FieldComparison['operator']
    readonly value: FieldComparison['value']
  }[]
  /** Nanoseconds; not inclusive. */
  readonly beforeNs: bigint
}

/** @returns null where no row is left */
export function matchingRows(run: Run, { comparisons, beforeNs }: Matching): Run | null {
  if (comparisons.length === 0) return run
  const { length } = run.times
  const tests = comparisons.map(({ column, operator, value }) =>
    testOf(run.columns[column] ?? null, operator, value),
  )
  const late = firstNotBefore(timeWords(run.times), 0, length, splitTime(beforeNs))
  const rows = new Int32Array(length)
  let count = 0
  for (let row = 0; row < length; row++)
    if (row >= late || tests.every((isKept) => isKept(row))) rows[count++] = row
  if (count === length) return run
  return count === 0 ? null : pickedRows(run, rows.subarray(0, count))
}

function testOf(
  column: Column | null,
  operator: FieldComparison['operator'],
  wanted: FieldComparison['value'],
): (row: number) => boolean {
  if (column === null) return () => false
  const { present } = column
  const value = column.type === 'boolean' ? Number(wanted) : wanted
  const values = column.values as ArrayLike<number | bigint | string>
  const holds = comparers[operator]
  return (row) => present?.[row] !== 0 && holds(values[row]!, value)
}

type Comparer = (stored: number | bigint | string, wanted: number | bigint | string | boolean) => boolean

const comparers: Readonly<Record<FieldComparison['operator'], Comparer>> = {
  '=': (stored, wanted) => stored === wanted,
  '!=': (stored, wanted) => stored !== wanted,
  '<': (stored, wanted) => stored < wanted,
  '<=': (stored, wanted) => stored <= wanted,
  '>': (stored, wanted) => stored > wanted,
  '>=': (stored, wanted) => stored >= wanted,
}
