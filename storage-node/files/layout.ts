import { SortedRows } from '../buffer/sorted-rows.ts'
import { compareTimes, timeWords } from '../buffer/time-order.ts'
import { pickColumn } from '../buffer/merge.ts'
import type { TableBuffer } from '../buffer/table-buffer.ts'
import { newVector } from '../buffer/vector.ts'
import type { FieldType } from '../engine/reader.ts'
import type { NamedColumn, RowColumn, Rows } from '../query-process/messages.ts'
import { fieldParts } from './field-parts.ts'
import { FileFields, RowContents } from './file-fields.ts'
import { maxStringBytesPerFile } from './manifest.ts'

/** Which rows of a buffer go into which file, and how they are handed over. */

const maxRowsPerFile = 500_000
const maxBytesPerFile = 48 * 1024 * 1024
/** More shards than this in one buffer share files: scattered old points must not become a flood of files. */
const maxShardsPerBuffer = 32
/** A batch goes to the query process as one message. */
const maxRowsPerBatch = 16_384
const maxCellsPerBatch = 65_536
export const maxStringBytesPerBatch = 4 * 1024 * 1024
const rowsPerTurn = 16_384

export interface PlannedFile {
  /** In the order of series, time, arrival. */
  readonly rows: Int32Array
  /** Those of which a row may have a value, ascending. */
  readonly fields: readonly number[]
  /** Of its strings, all that came for a point counted. */
  readonly stringBytes: number
}

const all = { seriesIds: null, fields: null, minTimeNs: -(2n ** 63n), maxTimeNs: 2n ** 63n - 1n }

/**
 * The files of a buffer, by shard. Some milliseconds of work after the other: `null` is a turn for others.
 * @param maxCells rows times columns of one file
 */
export function* planFiles(
  table: TableBuffer,
  shardDurationNs: bigint,
  maxCells: number,
): Generator<PlannedFile | null> {
  const sorting = SortedRows.inTurns(table, all)
  let step = sorting.next()
  for (; !step.done; step = sorting.next()) yield null
  const sorted = step.value
  const counts = new Map<number, number>()
  yield* visitShards(table, sorted, shardDurationNs, (shard, rows) => {
    counts.set(shard, (counts.get(shard) ?? 0) + rows.length)
  })
  const { groups, groupOfShard } = groupShards(counts)
  const filled = groups.map(() => 0)
  // Series by series, each in the order of time: so the rows of a group come in that order too.
  yield* visitShards(table, sorted, shardDurationNs, (shard, rows) => {
    const group = groupOfShard.get(shard)!
    groups[group]!.set(rows, filled[group])
    filled[group]! += rows.length
  })
  const contents = new RowContents(table)
  for (const rows of groups) yield* splitRows(table, contents, rows, maxCells)
}

/** Shows all rows, those of one series and shard at a time, series by series in the order of time. */
function* visitShards(
  table: TableBuffer,
  sorted: SortedRows,
  shardDurationNs: bigint,
  visit: (shard: number, rows: Int32Array) => void,
): Generator<null> {
  const { times } = table
  let sinceTurn = 0
  for (const id of sorted.seriesIds) {
    const rows = sorted.rowsOf(id)
    for (let from = 0; from < rows.length;) {
      const shard = floorDivide(times[rows[from]!]!, shardDurationNs)
      const shardEndNs = (shard + 1n) * shardDurationNs
      const end = firstAtOrAfter(times, rows, from + 1, shardEndNs)
      visit(Number(shard), rows.subarray(from, end))
      from = end
    }
    sinceTurn += rows.length
    if (sinceTurn < rowsPerTurn) continue
    sinceTurn = 0
    yield null
  }
}

/** The rows are in the order of time. @returns an index from `low` on, `rows.length` if all are before */
function firstAtOrAfter(times: BigInt64Array, rows: Int32Array, low: number, timeNs: bigint): number {
  let high = rows.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (times[rows[middle]!]! < timeNs) low = middle + 1
    else high = middle
  }
  return low
}

/** Room for the rows of each group of neighbouring shards, and which shard is in which. */
function groupShards(counts: ReadonlyMap<number, number>): {
  readonly groups: readonly Int32Array[]
  readonly groupOfShard: ReadonlyMap<number, number>
} {
  const shards = [...counts.keys()].sort((a, b) => a - b)
  const perGroup = Math.ceil(shards.length / maxShardsPerBuffer)
  const groupOfShard = new Map(shards.map((shard, index) => [shard, Math.floor(index / perGroup)]))
  const sizes = Array.from({ length: Math.ceil(shards.length / perGroup) }, () => 0)
  for (const [shard, group] of groupOfShard) sizes[group]! += counts.get(shard)!
  return { groups: sizes.map((size) => new Int32Array(size)), groupOfShard }
}

function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b
  return a % b < 0n ? quotient - 1n : quotient
}

/** A file ends where it would get too large with the next row and its fields. */
function* splitRows(
  table: TableBuffer,
  contents: RowContents,
  rows: Int32Array,
  maxCells: number,
): Generator<PlannedFile | null> {
  const maxRows = Math.min(maxRowsPerFile, Math.ceil((maxBytesPerFile * table.rowCount) / table.bytes))
  const { hasTexts } = contents
  for (let from = 0; from < rows.length;) {
    const fields = new FileFields(table, contents.common, maxCells)
    let stringBytes = 0
    let end = from
    if (!contents.differ)
      end = endOfPoint(table, rows, Math.min(rows.length, from + Math.min(maxRows, fields.maxRowsWith([]))))
    else
      for (; end < rows.length; end++) {
        const more = fields.missing(contents.rareFields(rows[end]!))
        const bytes = hasTexts ? contents.stringBytes(rows[end]!) : 0
        const isFull =
          end - from >= Math.min(maxRows, fields.maxRowsWith(more)) ||
          stringBytes + bytes > maxStringBytesPerFile
        if (isFull && end > from && !isSamePoint(table, rows[end - 1]!, rows[end]!)) break
        fields.add(more)
        stringBytes += bytes
        if ((end + 1) % rowsPerTurn === 0) yield null
      }
    yield* fieldParts(contents, { rows: rows.subarray(from, end), fields: fields.sorted, stringBytes })
    from = end
  }
}

/** A file that could not be written as two, null if it is one point. */
export function halved(table: TableBuffer, planned: PlannedFile): readonly PlannedFile[] | null {
  const { rows, fields, stringBytes } = planned
  const end = endOfPoint(table, rows, rows.length >>> 1)
  if (end === 0 || end === rows.length) return null
  return [rows.subarray(0, end), rows.subarray(end)].map((half) => ({ rows: half, fields, stringBytes }))
}

/** Rows of one point stay together: they become one row. */
function endOfPoint(table: TableBuffer, rows: Int32Array, wanted: number): number {
  let end = wanted
  while (end > 0 && end < rows.length && isSamePoint(table, rows[end - 1]!, rows[end]!)) end++
  return end
}

function isSamePoint({ series, times }: TableBuffer, a: number, b: number): boolean {
  return series[a] === series[b] && times[a] === times[b]
}

export function fileColumns(table: TableBuffer, { fields }: PlannedFile): NamedColumn[] {
  return [
    { name: 'series', type: 'series' },
    { name: 'time', type: 'integer' },
    ...fields.map((field) => ({ name: `f${field}`, type: table.column(field)!.type })),
  ]
}

/** How many rows of so many fields are sent as one. */
export const rowsPerBatch = (fieldCount: number): number =>
  Math.min(maxRowsPerBatch, Math.ceil(maxCellsPerBatch / (fieldCount + 2)))

/** The rows of a file as they go to the query process, points with several rows made one. */
export function* fileRows(table: TableBuffer, file: PlannedFile): Generator<Rows> {
  const { rows, fields } = file
  const batchRows = Math.min(
    rowsPerBatch(fields.length),
    Math.ceil((maxStringBytesPerBatch * rows.length) / Math.max(1, file.stringBytes)),
  )
  for (let from = 0; from < rows.length;) {
    const end = endOfPoint(table, rows, Math.min(from + batchRows, rows.length))
    yield batch(table, fields, rows.subarray(from, end))
    from = end
  }
}

function batch(table: TableBuffer, fields: readonly number[], rows: Int32Array): Rows {
  const targets = new Int32Array(rows.length)
  const series = new Uint32Array(rows.length)
  const times = new BigInt64Array(rows.length)
  let target = -1
  for (let k = 0; k < rows.length; k++) {
    if (k === 0 || !isSamePoint(table, rows[k - 1]!, rows[k]!)) {
      target++
      series[target] = table.series[rows[k]!]!
      times[target] = table.times[rows[k]!]!
    }
    targets[k] = target
  }
  const rowCount = target + 1
  const picking = { rows, sources: new Uint8Array(rows.length), targets, targetCount: rowCount }
  const columns: RowColumn[] = [
    { type: 'series', values: series.slice(0, rowCount), present: null },
    { type: 'integer', values: times.slice(0, rowCount), present: null },
  ]
  for (const field of fields) {
    const column = table.column(field)!
    columns.push(pickColumn(column.type, [column], picking) ?? emptyColumn(column.type, rowCount))
  }
  return { rowCount, columns }
}

const emptyColumn = (type: FieldType, rowCount: number): RowColumn => newVector(type, rowCount)

export interface FileFacts {
  readonly rows: number
  readonly seriesCount: number
  readonly minSeries: number
  readonly maxSeries: number
  readonly minTimeNs: bigint
  readonly maxTimeNs: bigint
  readonly stringBytes: number
}

/** Some milliseconds of work after the other: `null` is a turn for others. */
export function* factsOf(table: TableBuffer, { rows, stringBytes }: PlannedFile): Generator<null, FileFacts> {
  const { series, times } = table
  const words = timeWords(times)
  let count = 0
  let seriesCount = 0
  let first = rows[0]!
  let last = first
  for (let k = 0; k < rows.length; k++) {
    const row = rows[k]!
    const previous = k === 0 ? row : rows[k - 1]!
    const isNewSeries = k === 0 || series[previous] !== series[row]
    if (isNewSeries) seriesCount++
    if (isNewSeries || compareTimes(words, previous, row) !== 0) count++
    if (isNewSeries && compareTimes(words, row, first) < 0) first = row
    const isLastOfSeries = k === rows.length - 1 || series[rows[k + 1]!] !== series[row]
    if (isLastOfSeries && compareTimes(words, row, last) > 0) last = row
    if ((k + 1) % rowsPerTurn === 0) yield null
  }
  return {
    rows: count,
    seriesCount,
    minSeries: series[rows[0]!]!,
    maxSeries: series[rows.at(-1)!]!,
    minTimeNs: times[first]!,
    maxTimeNs: times[last]!,
    stringBytes,
  }
}
