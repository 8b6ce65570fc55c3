import { aggregateBlocks, aggregationOf } from '../../aggregation/aggregate-blocks.ts'
import type { SeriesWindows } from '../../aggregation/series-windows.ts'
import { parseLines } from '../../line-protocol/parse.ts'
import { tagsOfKey } from '../../line-protocol/series-key.ts'
import type { BatchColumn } from '../../line-protocol/batch.ts'
import type {
  AggregateRequest,
  Block,
  Column,
  FieldComparison,
  FieldType,
  MeasurementSchema,
  Reader,
  ReadRequest,
  Series,
  TimeRange,
} from '../../engine/reader.ts'

type Scalar = number | bigint | string | boolean

interface StoredSeries extends Series {
  readonly points: Map<bigint, Map<string, Scalar>>
}

/**
 * A Reader for tests: points in maps, the last write wins, and blocks of a few points so that their edges matter. It
 * leaves out all that it may.
 */
export class MemoryReader implements Reader {
  readonly #series: StoredSeries[] = []
  readonly #fields = new Map<string, Map<string, FieldType>>()
  readonly #blockSize: number
  readonly #generation = Symbol('generation')

  constructor(lineProtocol: string, blockSize = 7) {
    this.#blockSize = blockSize
    for (const table of parseLines(Buffer.from(lineProtocol), 'ns', 0n).tables) {
      const fields = this.#fields.get(table.measurement) ?? new Map<string, FieldType>()
      this.#fields.set(table.measurement, fields)
      for (const column of table.columns) fields.set(column.name, column.type)
      for (let row = 0; row < table.rowCount; row++) {
        const { key } = table.series[table.seriesOfRow[row]!]!
        const { points } = this.#seriesOf(table.measurement, new Map(tagsOfKey(key)))
        const values = points.get(table.times[row]!) ?? new Map<string, Scalar>()
        points.set(table.times[row]!, values)
        for (const column of table.columns) {
          if (column.present === null || column.present[row] === 1)
            values.set(column.name, scalarOf(column, row))
        }
      }
    }
  }

  measurements(): readonly MeasurementSchema[] {
    return [...this.#fields]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, fields]) => ({
        name,
        fields,
        tagKeys: [...new Set(this.series('', name).flatMap(({ tags }) => [...tags.keys()]))].sort(),
      }))
  }

  series(_databaseId: string, measurement: string): readonly Series[] {
    return this.#series.filter((series) => series.measurement === measurement)
  }

  generation(): symbol {
    return this.#generation
  }

  timeRange(_databaseId: string, _retentionPolicy: string, measurement: string): TimeRange | null {
    const times = this.#series
      .filter((series) => series.measurement === measurement)
      .flatMap(({ points }) => [...points.keys()])
      .sort((a, b) => (a < b ? -1 : 1))
    return times.length === 0 ? null : { minTimeNs: times[0]!, maxTimeNs: times.at(-1)! }
  }

  async *read(request: ReadRequest): AsyncGenerator<Block> {
    const types = this.#fields.get(request.measurement)!
    for (const id of request.seriesIds) {
      const times = [...this.#series[id]!.points]
        .filter(([time, values]) => {
          const wanted = request.fields.some((field) => values.has(field))
          if (!wanted || time < request.minTimeNs || time > request.maxTimeNs) return false
          return (request.matching ?? []).every((one) => holds(one, values.get(one.field)))
        })
        .map(([time]) => time)
        .sort((a, b) => (a < b ? -1 : 1))
      for (let i = 0; i < times.length; i += this.#blockSize) {
        yield this.#block(id, times.slice(i, i + this.#blockSize), request.fields, types)
      }
    }
  }

  aggregate(request: AggregateRequest): AsyncGenerator<SeriesWindows> {
    const fields = request.measures.map(({ field }) => field)
    const types = this.#fields.get(request.measurement)
    const aggregation = aggregationOf(request, (field) => types?.get(field) ?? null)
    return aggregateBlocks(this.read({ ...request, fields }), aggregation, request.countPoints)
  }

  #block(
    seriesId: number,
    times: readonly bigint[],
    fields: readonly string[],
    types: ReadonlyMap<string, FieldType>,
  ): Block {
    const { points } = this.#series[seriesId]!
    const columns = fields.map((field) => {
      const type = types.get(field)
      return type === undefined
        ? null
        : columnOf(
            type,
            times.map((time) => points.get(time)!.get(field)),
          )
    })
    return { seriesId, times: BigInt64Array.from(times), columns }
  }

  #seriesOf(measurement: string, tags: ReadonlyMap<string, string>): StoredSeries {
    const key = JSON.stringify([...tags])
    const known = this.#series.find(
      (one) => one.measurement === measurement && JSON.stringify([...one.tags]) === key,
    )
    if (known !== undefined) return known
    const series = {
      id: this.#series.length,
      measurement,
      tags,
      points: new Map<bigint, Map<string, Scalar>>(),
    }
    this.#series.push(series)
    return series
  }
}

function holds({ operator, value }: FieldComparison, stored: Scalar | undefined): boolean {
  if (stored === undefined) return false
  switch (operator) {
    case '=':
      return stored === value
    case '!=':
      return stored !== value
    case '<':
      return stored < value
    case '<=':
      return stored <= value
    case '>':
      return stored > value
    default:
      return stored >= value
  }
}

function scalarOf(column: BatchColumn, row: number): Scalar {
  return column.type === 'boolean' ? column.values[row] === 1 : column.values[row]!
}

function columnOf(type: FieldType, values: readonly (Scalar | undefined)[]): Column | null {
  if (values.every((value) => value === undefined)) return null
  const present = values.every((value) => value !== undefined)
    ? null
    : Uint8Array.from(values, (value) => (value === undefined ? 0 : 1))
  switch (type) {
    case 'float':
      return { type, present, values: Float64Array.from(values, (value) => (value ?? 0) as number) }
    case 'integer':
      return { type, present, values: BigInt64Array.from(values, (value) => (value ?? 0n) as bigint) }
    case 'unsigned':
      return { type, present, values: BigUint64Array.from(values, (value) => (value ?? 0n) as bigint) }
    case 'boolean':
      return { type, present, values: Uint8Array.from(values, (value) => (value === true ? 1 : 0)) }
    default:
      return { type, present, values: values.map((value) => (value ?? '') as string) }
  }
}
