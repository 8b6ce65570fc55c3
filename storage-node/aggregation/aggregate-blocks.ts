import type { AggregateRequest, Block, FieldType } from '../engine/reader.ts'
import { addPoints, emptyWindows, type Aggregation, type SeriesWindows } from './series-windows.ts'

/** The windows of blocks that come series by series, each series by time; the reference for every faster way. */
export async function* aggregateBlocks(
  blocks: AsyncIterable<Block>,
  aggregation: Aggregation,
  countPoints: AggregateRequest['countPoints'],
): AsyncGenerator<SeriesWindows> {
  let windows: SeriesWindows | null = null
  for await (const block of blocks) {
    countPoints(block.times.length)
    if (windows !== null && windows.seriesId !== block.seriesId) {
      yield windows
      windows = null
    }
    windows ??= emptyWindows(block.seriesId, aggregation.measures)
    addPoints(windows, aggregation, block)
  }
  if (windows !== null) yield windows
}

/** @param typeOf the type of a field; null if there is none, which has no values */
export function aggregationOf(
  { windowing, measures }: AggregateRequest,
  typeOf: (field: string) => FieldType | null,
): Aggregation {
  return { windowing, measures, types: measures.map(({ field }) => typeOf(field) ?? 'float') }
}
