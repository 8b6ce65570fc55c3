import type { Block, MeasurementSchema } from '../../../engine/reader.ts'
import type { Expr } from '../ast.ts'
import type { ResolvedSelect } from '../resolve.ts'
import { compareText } from '../scalar.ts'
import type { BoundMeasurement } from '../schema.ts'
import type { Environment } from './environment.ts'
import { Group, type GroupTable, type GroupTables } from './group-tables.ts'
import type { RunOptions } from './options.ts'
import { rowsAlone } from './pick.ts'
import { RowFilter } from './row-filter.ts'
import type { SeriesPlan } from './scan.ts'
import { cursorHeap, SeriesCursor } from './series-cursor.ts'
import { blockBytes, prepareRead, type PreparedRead } from './storage.ts'
import type { Holder } from './stream.ts'
import type { Symbol } from './symbols.ts'

/**
 * SELECTs of stored fields and tags as they are, which most of what is read passes through: their rows are never made
 * one by one. The answer is that of `openRows`, which takes every SELECT.
 */

export interface ColumnsPlan {
  readonly source: BoundMeasurement
  /** Of each column, which of the values it is that come along. */
  readonly columns: readonly number[]
}

/** @returns null for a SELECT that more has to be done for */
export function planColumns(
  select: ResolvedSelect,
  options: RunOptions,
  exprs: readonly Expr[],
  symbols: readonly Symbol[],
): ColumnsPlan | null {
  const [source] = select.sources
  const { fill, limit, offset, dimensions, groupBy, aux } = options
  if (select.sources.length !== 1 || source?.kind !== 'measurement') return null
  if (fill.kind !== 'null' && fill.kind !== 'none') return null
  // Of an offset alone it depends on the shards of the points which of them are left.
  if (offset > 0 && limit === 0) return null
  if (limit > 0 && dimensions.length !== groupBy.length) return null
  if (symbols.every(({ type }) => type === 'unknown')) return null
  const columns = exprs.map((expr) =>
    expr.kind === 'ref' ? symbols.findIndex(({ name }) => name === expr.name) : -1,
  )
  if (columns.includes(-1)) return null
  const isCast = source.schemas.some((schema) =>
    aux.some(({ name, type }) => {
      const stored = schema.fields.get(name)
      return stored !== undefined && !['unknown', 'field', 'tag', stored].includes(type)
    }),
  )
  return isCast ? null : { source, columns }
}

export async function* readColumns(
  environment: Environment,
  { source, columns }: ColumnsPlan,
  options: RunOptions,
  maxRows: number,
): GroupTables {
  const schemas = options.ascending ? source.schemas : source.schemas.toReversed()
  for (const schema of schemas) {
    const read = prepareRead(environment, source, schema, null, options)
    if (read === null) continue
    try {
      const reading = new ColumnsReading(environment, read, schema, columns, options, maxRows)
      for (let set = 0; set < read.sets.length; set++) {
        await environment.giveTurn()
        yield* reading.tablesOf(set)
      }
    } finally {
      await read.feed.close()
    }
  }
}

class ColumnsReading {
  readonly #holder: Holder
  readonly #read: PreparedRead
  readonly #schema: MeasurementSchema
  readonly #columns: readonly number[]
  readonly #options: RunOptions
  readonly #maxRows: number
  readonly #filter: RowFilter
  /** Rows of a set that count at most, one more than asked for, as in InfluxDB 1.x. */
  readonly #most: number

  constructor(
    holder: Holder,
    read: PreparedRead,
    schema: MeasurementSchema,
    columns: readonly number[],
    options: RunOptions,
    maxRows: number,
  ) {
    const { limit, offset } = options
    this.#holder = holder
    this.#read = read
    this.#schema = schema
    this.#columns = columns
    this.#options = options
    this.#maxRows = maxRows
    this.#filter = new RowFilter(schema, read.fields)
    this.#most = limit > 0 ? limit + offset + 1 : Infinity
  }

  async *tablesOf(index: number): GroupTables {
    const plans = this.#read.plans[index]!
    const { series } = this.#read.sets[index]!
    const group = new Group(this.#schema, this.#read.fields, this.#columns, plans, this.#maxRows)
    const { ascending, limit, offset } = this.#options
    if (series.length === 1 && ascending && this.#most === Infinity) {
      yield* this.#stream(series[0]!.series.id, group)
      return
    }
    const blocks: Block[] = []
    const cursors: SeriesCursor[] = []
    for (const [origin, one] of series.entries()) {
      await this.#holder.giveTurn()
      const from = blocks.length
      let left = this.#most
      for await (const block of this.#blocksOf(one.series.id, plans[origin]!)) {
        this.#holder.hold(blockBytes(block))
        blocks.push(block)
        left -= block.times.length
        if (left <= 0 && ascending) break
      }
      if (blocks.length === from) continue
      const range = [from, blocks.length] as const
      cursors.push(new SeriesCursor(blocks, range, { origin, aux: plans[origin]!.aux, ascending }))
    }
    let left = this.#most
    for (const alike of groupsOf(cursors, plans, ascending)) {
      const most = limit > 0 ? Math.min(left, offset + limit) : left
      const rows = alike.reduce((sum, { length }) => sum + length, 0)
      yield* group.tables(blocks, cursorHeap(alike, ascending), offset, most)
      left -= Math.min(left, rows)
    }
    this.#holder.release(blocks.reduce((bytes, block) => bytes + blockBytes(block), 0))
  }

  /** One series alone has nothing to wait for. */
  async *#stream(seriesId: number, group: Group): GroupTables {
    const plan = group.plans[0]!
    let blocks: Block[] = []
    let count = 0
    const tables = (): Generator<GroupTable> => {
      const range = [0, blocks.length] as const
      const cursor = new SeriesCursor(blocks, range, { origin: 0, aux: plan.aux, ascending: true })
      return group.tables(blocks, cursorHeap([cursor], true), 0, Infinity)
    }
    for await (const block of this.#blocksOf(seriesId, plan)) {
      blocks.push(block)
      count += block.times.length
      if (count < this.#maxRows) continue
      for (const one of tables()) {
        if (one.table.length === this.#maxRows) yield one
      }
      const rest = count % this.#maxRows
      blocks = rest === 0 ? [] : [lastOf(block, rest)]
      count = rest
    }
    if (count > 0) yield* tables()
  }

  /** The rows of a series that count, as blocks of nothing else. */
  async *#blocksOf(seriesId: number, plan: SeriesPlan): AsyncGenerator<Block, void, undefined> {
    for await (const block of this.#read.feed.blocksOf(seriesId)) {
      const rows = this.#filter.rowsOf(block, plan)
      if (rows.length > 0) yield rows.length === block.times.length ? block : rowsAlone(block, rows)
    }
  }
}

/** Tags with bars in their values may share a set with others, as in InfluxDB 1.x; their rows stay apart. */
function groupsOf(
  cursors: readonly SeriesCursor[],
  plans: readonly SeriesPlan[],
  ascending: boolean,
): readonly (readonly SeriesCursor[])[] {
  const idOf = ({ origin }: SeriesCursor): string => plans[origin]!.tags.id
  const groups = Map.groupBy(cursors, idOf)
  const direction = ascending ? 1 : -1
  return [...groups].sort(([a], [b]) => direction * compareText(a, b)).map(([, group]) => group)
}

/** What is left over is of the last block, since all before it did not fill a table. */
function lastOf(block: Block, count: number): Block {
  const { length } = block.times
  return rowsAlone(
    block,
    Int32Array.from({ length: count }, (_, i) => length - count + i),
  )
}
