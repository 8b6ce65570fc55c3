import { unreachable } from '../../common/errors.ts'
import type { SeriesWindows } from '../aggregation/series-windows.ts'
import type { AggregateRequest, Block, Column, Reader, ReadRequest } from '../engine/reader.ts'
import type { EndTurn } from './turns.ts'

/** Rows that a query gets at a time; what it does with them is one step. */
const maxRows = 8_192

/**
 * The engine as one query sees it: in steps, between which others have their turn and an abandoned query ends.
 * @param mayRead resolves when the query may read points
 */
export function fairReader(
  reader: Reader,
  endTurn: EndTurn,
  mayRead: (signal: AbortSignal) => Promise<void>,
): Reader {
  /** By databases and measurements, of which generation the series are that the query has asked for. */
  const generations = new Map<string, symbol | null>()
  const keyOf = (databaseId: string, measurement: string) => `${databaseId} ${measurement}`
  /** Ids of series that have gone with their database may be those of others by now. */
  const haveGone = ({
    databaseId,
    measurement,
  }: Pick<ReadRequest, 'databaseId' | 'measurement'>): boolean => {
    const known = generations.get(keyOf(databaseId, measurement))
    return known !== undefined && known !== reader.generation(databaseId)
  }
  return {
    measurements: (databaseId) => reader.measurements(databaseId),
    generation: (databaseId) => reader.generation(databaseId),
    series: (databaseId, measurement) => {
      generations.set(keyOf(databaseId, measurement), reader.generation(databaseId))
      return reader.series(databaseId, measurement)
    },
    read: async function* (request) {
      await mayRead(request.signal)
      if (!haveGone(request)) yield* readInSteps(reader, request, endTurn)
    },
    ...(reader.timeRange && {
      timeRange: (databaseId, retentionPolicy, measurement) =>
        reader.timeRange!(databaseId, retentionPolicy, measurement),
    }),
    ...(reader.aggregate && {
      aggregate: async function* (request) {
        await mayRead(request.signal)
        if (!haveGone(request)) yield* inTurns(reader.aggregate!(request), request, endTurn)
      },
    }),
  }
}

async function* inTurns(
  all: AsyncIterable<SeriesWindows>,
  { signal }: AggregateRequest,
  endTurn: EndTurn,
): AsyncGenerator<SeriesWindows> {
  for await (const windows of all) {
    const turn = endTurn()
    if (turn) await turn
    signal.throwIfAborted()
    yield windows
  }
}

async function* readInSteps(reader: Reader, request: ReadRequest, endTurn: EndTurn): AsyncGenerator<Block> {
  for await (const block of reader.read(request)) {
    for (let start = 0; start < block.times.length; start += maxRows) {
      const turn = endTurn()
      if (turn) await turn
      request.signal.throwIfAborted()
      yield partOf(block, start)
    }
  }
}

function partOf(block: Block, start: number): Block {
  const end = Math.min(start + maxRows, block.times.length)
  if (start === 0 && end === block.times.length) return block
  return {
    seriesId: block.seriesId,
    times: block.times.subarray(start, end),
    columns: block.columns.map((column) => column && columnPart(column, start, end)),
  }
}

/** @returns null where no point of the part has the field, as everywhere else */
function columnPart(column: Column, start: number, end: number): Column | null {
  const present = column.present?.subarray(start, end) ?? null
  if (present && !present.includes(1)) return null
  switch (column.type) {
    case 'float':
      return { type: column.type, values: column.values.subarray(start, end), present }
    case 'integer':
      return { type: column.type, values: column.values.subarray(start, end), present }
    case 'unsigned':
      return { type: column.type, values: column.values.subarray(start, end), present }
    case 'boolean':
      return { type: column.type, values: column.values.subarray(start, end), present }
    case 'string':
      return { type: column.type, values: column.values.slice(start, end), present }
    default:
      return unreachable(column)
  }
}
