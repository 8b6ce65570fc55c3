import type { Column, FieldType } from '../engine/reader.ts'
import { SparseCells } from './sparse-cells.ts'
import { firstNotBefore, splitTime, timeWords } from './time-order.ts'
import { copyCell, copyOfColumn, finishVector, gatherRows, newVector, part } from './vector.ts'

/** Points of one series, times strictly ascending; columns in the order of the wanted fields. */
export interface Run {
  readonly times: BigInt64Array
  readonly columns: readonly (Column | null)[]
}

/**
 * Rows picked out of several sources. Row `k` of the result's making is row `rows[k]` of source `sources[k]` and goes
 * to `targets[k]`, which never falls; where several go to one target the later present value wins, field by field.
 */
export interface Picking {
  readonly rows: Int32Array
  readonly sources: Uint8Array
  readonly targets: Int32Array
  readonly targetCount: number
}

export function pickColumn(
  type: FieldType,
  columns: readonly (Column | SparseCells | null)[],
  picking: Picking,
): Column | null {
  const { rows, sources, targets, targetCount } = picking
  if (!columns.some((column) => column && mayHaveAny(column, rows))) return null
  const vector = newVector(type, targetCount)
  const [only] = columns
  if (columns.length === 1 && targetCount === rows.length && only && isWithPlaces(only)) {
    gatherRows(only, rows, vector)
  } else if (columns.every(isWithPlaces)) {
    for (let k = 0; k < rows.length; k++) {
      const column = columns[sources[k]!]
      if (column) copyCell(column, rows[k]!, vector, targets[k]!)
    }
  } else {
    for (let k = 0; k < rows.length; k++) {
      const column = columns[sources[k]!]
      if (column instanceof SparseCells) column.copyCell(rows[k]!, vector, targets[k]!)
      else if (column) copyCell(column, rows[k]!, vector, targets[k]!)
    }
  }
  return finishVector(vector, targetCount)
}

const isWithPlaces = (column: Column | SparseCells | null): column is Column | null =>
  !(column instanceof SparseCells)

/** Most columns with few values have none in so many rows: nothing is made for these. */
function mayHaveAny(column: Column | SparseCells, rows: Int32Array): boolean {
  if (!(column instanceof SparseCells)) return true
  let first = Infinity
  let last = -1
  for (const row of rows) {
    if (row < first) first = row
    if (row > last) last = row
  }
  return column.hasAny(first, last)
}

/** Both runs as one; where they have the same time, `newer` wins field by field. */
export function mergeRuns(types: readonly FieldType[], older: Run, newer: Run): Run {
  const total = older.times.length + newer.times.length
  const rows = new Int32Array(total)
  const sources = new Uint8Array(total)
  const targets = new Int32Array(total)
  const times = new BigInt64Array(total)
  let a = 0
  let b = 0
  let target = -1
  for (let k = 0; k < total; k++) {
    const fromOlder =
      b === newer.times.length || (a < older.times.length && older.times[a]! <= newer.times[b]!)
    const time = fromOlder ? older.times[a]! : newer.times[b]!
    if (target < 0 || times[target] !== time) times[++target] = time
    sources[k] = fromOlder ? 0 : 1
    rows[k] = fromOlder ? a++ : b++
    targets[k] = target
  }
  const picking = { rows, sources, targets, targetCount: target + 1 }
  return {
    times: times.subarray(0, target + 1),
    columns: types.map((type, index) =>
      pickColumn(type, [older.columns[index] ?? null, newer.columns[index] ?? null], picking),
    ),
  }
}

/** The same in memory of its own. */
export const copyOfRun = ({ times, columns }: Run): Run => ({
  times: times.slice(),
  columns: columns.map((column) => column && copyOfColumn(column)),
})

/** Some rows of a run, in the order given, in memory of their own. */
export function pickedRows(run: Run, rows: Int32Array): Run {
  const targetCount = rows.length
  const targets = new Int32Array(targetCount)
  const times = new BigInt64Array(targetCount)
  const [from, to] = [timeWords(run.times), timeWords(times)]
  for (let target = 0; target < targetCount; target++) {
    const row = rows[target]!
    targets[target] = target
    to[2 * target] = from[2 * row]!
    to[2 * target + 1] = from[2 * row + 1]!
  }
  const picking = { rows, sources: new Uint8Array(targetCount), targets, targetCount }
  return { times, columns: run.columns.map((column) => column && pickColumn(column.type, [column], picking)) }
}

export function partOfRun(run: Run, from: number, end: number): Run {
  return {
    times: run.times.subarray(from, end),
    columns: run.columns.map((column) => withoutEmpty(column && part(column, from, end))),
  }
}

/** A part may hold nothing of a column that as a whole holds something. */
function withoutEmpty(column: Column | null): Column | null {
  return column?.present?.every((flag) => flag === 0) ? null : column
}

/** @returns how many of the times are not after `timeNs` */
export const countThrough = (times: BigInt64Array, timeNs: bigint): number =>
  firstNotBefore(timeWords(times), 0, times.length, splitTime(timeNs + 1n))
