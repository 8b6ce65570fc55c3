import { SortedRows } from '../buffer/sorted-rows.ts'
import { pickColumn } from '../buffer/merge.ts'
import type { TableBuffer } from '../buffer/table-buffer.ts'
import { newVector } from '../buffer/vector.ts'
import type { FieldType } from '../engine/reader.ts'
import type { NamedColumn, RowColumn, Rows } from '../query-process/messages.ts'

/** Which rows of a buffer go into which file, and how they are handed over. */

const maxRowsPerFile = 500_000
/** The query process gathers a file in memory before it writes it. */
const maxCellsPerFile = 5_000_000
/** More shards than this in one buffer share files: scattered old points must not become a flood of files. */
const maxShardsPerBuffer = 32
const batchRows = 16_384

export interface PlannedFile {
  /** In the order of series, time, arrival. */
  readonly rows: Int32Array
}

const all = { seriesIds: null, fields: null, minTimeNs: -(2n ** 63n), maxTimeNs: 2n ** 63n - 1n }

export function planFiles(table: TableBuffer, shardDurationNs: bigint): PlannedFile[] {
  const shards = new Map<number, number[]>()
  const sorted = new SortedRows(table, all)
  const { times, series } = table
  for (const id of sorted.seriesIds) {
    let shardEndNs: bigint | null = null
    let bucket: number[] = []
    for (const row of sorted.rowsOf(id)) {
      const timeNs = times[row]!
      if (shardEndNs === null || timeNs >= shardEndNs) {
        const shard = floorDivide(timeNs, shardDurationNs)
        shardEndNs = (shard + 1n) * shardDurationNs
        bucket = shards.get(Number(shard)) ?? []
        shards.set(Number(shard), bucket)
      }
      bucket.push(row)
    }
  }
  const keys = [...shards.keys()].sort((a, b) => a - b)
  const perFile = Math.ceil(keys.length / maxShardsPerBuffer)
  const files: PlannedFile[] = []
  for (let index = 0; index < keys.length; index += perFile) {
    const group = keys.slice(index, index + perFile).flatMap((key) => shards.get(key)!)
    // Within one shard the rows are in order already.
    if (perFile > 1) group.sort((a, b) => compareRows(series, times, a, b))
    files.push(...splitRows(table, Int32Array.from(group)))
  }
  return files
}

function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b
  return a % b < 0n ? quotient - 1n : quotient
}

function compareRows(series: Uint32Array, times: BigInt64Array, a: number, b: number): number {
  if (series[a] !== series[b]) return series[a]! - series[b]!
  return times[a]! < times[b]! ? -1 : times[a]! > times[b]! ? 1 : a - b
}

function splitRows(table: TableBuffer, rows: Int32Array): PlannedFile[] {
  const files: PlannedFile[] = []
  const maxRows = Math.min(maxRowsPerFile, Math.ceil(maxCellsPerFile / (table.fields.length + 2)))
  for (let from = 0; from < rows.length;) {
    const end = endOfPoint(table, rows, Math.min(from + maxRows, rows.length))
    files.push({ rows: rows.subarray(from, end) })
    from = end
  }
  return files
}

/** Rows of one point stay together: they become one row. */
function endOfPoint(table: TableBuffer, rows: Int32Array, wanted: number): number {
  let end = wanted
  while (end < rows.length && isSamePoint(table, rows[end - 1]!, rows[end]!)) end++
  return end
}

function isSamePoint({ series, times }: TableBuffer, a: number, b: number): boolean {
  return series[a] === series[b] && times[a] === times[b]
}

export function fileColumns(table: TableBuffer): NamedColumn[] {
  return [
    { name: 'series', type: 'series' },
    { name: 'time', type: 'integer' },
    ...table.fields.map((field) => ({ name: `f${field}`, type: table.column(field)!.type })),
  ]
}

/** The rows of a file as they go to the query process, points with several rows made one. */
export function* fileRows(table: TableBuffer, file: PlannedFile): Generator<Rows> {
  const { rows } = file
  for (let from = 0; from < rows.length;) {
    const end = endOfPoint(table, rows, Math.min(from + batchRows, rows.length))
    yield batch(table, rows.subarray(from, end))
    from = end
  }
}

function batch(table: TableBuffer, rows: Int32Array): Rows {
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
  for (const field of table.fields) {
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
}

export function factsOf(table: TableBuffer, file: PlannedFile): FileFacts {
  const { series, times } = table
  const { rows } = file
  let count = 0
  let seriesCount = 0
  let minTimeNs = times[rows[0]!]!
  let maxTimeNs = minTimeNs
  for (let k = 0; k < rows.length; k++) {
    const row = rows[k]!
    if (k === 0 || series[rows[k - 1]!] !== series[row]) seriesCount++
    if (k === 0 || !isSamePoint(table, rows[k - 1]!, row)) count++
    const timeNs = times[row]!
    if (timeNs < minTimeNs) minTimeNs = timeNs
    if (timeNs > maxTimeNs) maxTimeNs = timeNs
  }
  return {
    rows: count,
    seriesCount,
    minSeries: series[rows[0]!]!,
    maxSeries: series[rows.at(-1)!]!,
    minTimeNs,
    maxTimeNs,
  }
}
