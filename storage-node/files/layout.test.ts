import { describe, expect, test } from 'vitest'
import { parseLines } from '../line-protocol/parse.ts'
import { TableBuffer } from '../buffer/table-buffer.ts'
import {
  factsOf,
  fileColumns,
  fileRows,
  halved,
  planFiles,
  type FileFacts,
  type PlannedFile,
} from './layout.ts'
import { processorTime } from '../../test/support/processor-time.ts'

const maxCells = 5_000_000

/** Promise: a flush puts every row into one file of its time, and never holds up the process for long. */

function bufferOf(times: BigInt64Array, seriesCount: number): TableBuffer {
  const lines = Array.from({ length: seriesCount }, (_, series) => `m,s=${series} v=1 0`).join('\n')
  const [one] = parseLines(Buffer.from(lines), 'ns', 0n).tables
  const table = new TableBuffer()
  const rowCount = times.length
  const values = new Float64Array(rowCount)
  const seriesOfRow = Uint32Array.from(times, (_, row) => (row * 7) % seriesCount)
  const columns = [{ name: 'v', type: 'float' as const, values, present: null }]
  table.append(
    { ...one!, rowCount, times, seriesOfRow, columns },
    Uint32Array.from({ length: seriesCount }, (_, id) => id),
    [0],
    null,
  )
  return table
}

function randomTimes(length: number, spanNs: number): BigInt64Array {
  let state = 7
  return BigInt64Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return BigInt(Math.floor((state / 2 ** 31 - 0.5) * spanNs))
  })
}

function factsAtOnce(table: TableBuffer, file: PlannedFile): FileFacts {
  const finding = factsOf(table, file)
  for (;;) {
    const step = finding.next()
    if (step.done) return step.value
  }
}

describe('planFiles', () => {
  test.each([
    ['one shard', 1_000_000_000n],
    ['a few shards', 200n],
    ['more shards than files', 3n],
  ])('every row once, in order, and files of different times: %s', (_, shardDurationNs) => {
    const table = bufferOf(randomTimes(5_000, 1_000), 11)
    const files = [...planFiles(table, shardDurationNs, maxCells)].filter((file) => file !== null)
    expect(files.length).toBeLessThanOrEqual(32)
    const all = files.flatMap(({ rows }) => [...rows])
    expect(new Set(all).size).toBe(5_000)
    expect(all).toHaveLength(5_000)
    const { series, times } = table
    for (const { rows } of files) {
      const order = [...rows].sort(
        (a, b) => series[a]! - series[b]! || Number(times[a]! - times[b]!) || a - b,
      )
      expect([...rows]).toEqual(order)
    }
    const facts = files.map((file) => factsAtOnce(table, file))
    for (const [index, { minTimeNs }] of facts.entries())
      expect(index === 0 || minTimeNs > facts[index - 1]!.maxTimeNs).toBe(true)
    const shardOf = (timeNs: bigint) => Math.floor(Number(timeNs) / Number(shardDurationNs))
    const shards = new Set(Array.from({ length: 5_000 }, (__, row) => shardOf(times[row]!)))
    if (shards.size <= 32) expect(files).toHaveLength(shards.size)
  })

  test('strings are cut by their bytes, and each file says what it has of them', () => {
    const table = new TableBuffer()
    const values = Array.from({ length: 40 }, () => '\u00e9'.repeat(500_000))
    table.append(
      {
        measurement: 'm',
        rowCount: 40,
        series: [],
        times: BigInt64Array.from(values, (_, k) => BigInt(k)),
        seriesOfRow: Uint32Array.from(values, (_, k) => k % 3),
        columns: [{ name: 't', type: 'string', values, present: null }],
      },
      new Uint32Array([0, 1, 2]),
      [0],
      null,
    )
    const files = [...planFiles(table, 1_000n, maxCells)].filter((file) => file !== null)
    expect(files.map(({ rows }) => rows.length)).toEqual([16, 16, 8])
    expect(files.map((file) => factsAtOnce(table, file).stringBytes)).toEqual([16e6, 16e6, 8e6])
    const batches = [...fileRows(table, files[0]!)]
    expect(batches.map(({ rowCount }) => rowCount)).toEqual([5, 5, 5, 1])
  })

  /** Rows with `f0`; those of `wide` also have many other fields. */
  function bufferWithWide(rowCount: number, wide: readonly number[], fieldCount: number): TableBuffer {
    const table = new TableBuffer()
    const column = (name: string, present: Uint8Array | null) => ({
      name,
      type: 'float' as const,
      values: new Float64Array(rowCount),
      present,
    })
    const present = Uint8Array.from({ length: rowCount }, (_, row) => (wide.includes(row) ? 1 : 0))
    const others = Array.from({ length: fieldCount }, (_, k) => column(`f${k + 1}`, present))
    const columns = [column('f0', null), ...others]
    table.append(
      {
        measurement: 'm',
        rowCount,
        series: [],
        times: BigInt64Array.from({ length: rowCount }, (_, row) => BigInt(row)),
        seriesOfRow: new Uint32Array(rowCount),
        columns,
      },
      new Uint32Array([0]),
      columns.map((_, field) => field),
      null,
    )
    return table
  }

  test('only the file with the rows that have many fields has these fields', () => {
    const table = bufferWithWide(60_000, [30_000], 999)
    const files = [...planFiles(table, 1_000_000n, maxCells)].filter((file) => file !== null)
    expect(files.map(({ fields }) => fields.length)).toEqual([1, 1_000, 1])
    expect(files.reduce((sum, { rows }) => sum + rows.length, 0)).toBe(60_000)
    for (const { rows, fields } of files) expect(rows.length * fields.length).toBeLessThan(2_000_000)
    const [narrow, wide] = files
    expect(fileColumns(table, narrow!).map(({ name }) => name)).toEqual(['series', 'time', 'f0'])
    let values = 0
    for (const { columns } of fileRows(table, wide!))
      for (const { present } of columns.slice(3)) for (const flag of present!) values += flag
    expect(values).toBe(999)
  })

  test('no file has more cells than are allowed, wide or not', () => {
    for (const wide of [0, 999]) {
      const table = bufferWithWide(60_000, [30_000], wide)
      const files = [...planFiles(table, 1_000_000n, 30_000)].filter((file) => file !== null)
      expect(files.reduce((sum, { rows }) => sum + rows.length, 0)).toBe(60_000)
      for (const { rows, fields } of files) expect(rows.length * (fields.length + 2)).toBeLessThan(33_000)
    }
  })

  const valuesOf = (table: TableBuffer, files: readonly PlannedFile[]): string[] =>
    files.flatMap((planned) => {
      const names = fileColumns(table, planned).map(({ name }) => name)
      return [...fileRows(table, planned)].flatMap(({ rowCount, columns }) =>
        Array.from({ length: rowCount }, (_, row) => row).flatMap((row) =>
          names
            .filter((__, k) => k > 1 && (columns[k]!.present?.[row] ?? 1) === 1)
            .map((name) => `${String(columns[1]!.values[row])} ${name}`),
        ),
      )
    })

  test.each([
    ['few rows have', 2_000, [7, 1_500], 2_000 + 2 * 2_499],
    ['all rows have', 3, [0, 1, 2], 3 * 2_500],
  ])('fields beyond those of one file, that %s, are in others, each value once', (_, rows, wide, count) => {
    const table = bufferWithWide(rows, wide, 2_499)
    const files = [...planFiles(table, 1_000_000n, maxCells)].filter((file) => file !== null)
    expect(files.every(({ fields }) => fields.length <= 1_000)).toBe(true)
    const values = valuesOf(table, files)
    expect(values).toHaveLength(count)
    expect(new Set(values).size).toBe(count)
  })

  test('strings of one point beyond those of one file are in others', () => {
    const table = new TableBuffer()
    const text = (name: string) => ({
      name,
      type: 'string' as const,
      values: ['x'.repeat(7_000_000)],
      present: null,
    })
    const columns = ['a', 'b', 'c', 'd', 'e'].map(text)
    const times = new BigInt64Array(1)
    const batch = {
      measurement: 'm',
      rowCount: 1,
      series: [],
      times,
      seriesOfRow: new Uint32Array(1),
      columns,
    }
    table.append(batch, new Uint32Array([0]), [0, 1, 2, 3, 4], null)
    const files = [...planFiles(table, 1_000_000n, maxCells)].filter((file) => file !== null)
    expect(files.map((file) => factsAtOnce(table, file).stringBytes)).toEqual([14e6, 14e6, 7e6])
    expect(valuesOf(table, files)).toEqual(['0 f0', '0 f1', '0 f2', '0 f3', '0 f4'])
  })

  test('a file that cannot be written is cut in two, between points', () => {
    const table = bufferWithWide(6, [], 0)
    const [file] = [...planFiles(table, 1_000n, maxCells)].filter((each) => each !== null)
    const halves = halved(table, file!)
    expect(halves?.map(({ rows }) => [...rows])).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ])
    expect(halved(table, { ...file!, rows: Int32Array.of(0) })).toBeNull()
  })

  test('a million rows in random order are planned in short turns', () => {
    const table = bufferOf(randomTimes(1_000_000, 1e15), 50)
    const allMs = processorTime()
    let longestMs = 0
    let turnMs = processorTime()
    for (const file of planFiles(table, 86_400_000_000_000n, maxCells)) {
      expect(file?.rows.length).not.toBe(0)
      longestMs = Math.max(longestMs, turnMs())
      turnMs = processorTime()
    }
    // However fast the processor is.
    expect(longestMs).toBeLessThan(allMs() * 0.4)
  })
})
