import type { AggregateRequest, Block, FieldType } from '../engine/reader.ts'
import { Aggregator, type Aggregation, type SeriesWindows } from './series-windows.ts'

/** The windows of blocks that come series by series, each series by time; the reference for every faster way. */
export async function* aggregateBlocks(
  blocks: AsyncIterable<Block>,
  aggregation: Aggregation,
  countPoints: AggregateRequest['countPoints'],
): AsyncGenerator<SeriesWindows> {
  const aggregator = new Aggregator(aggregation)
  let windows: SeriesWindows | null = null
  for await (const block of blocks) {
    countPoints(block.times.length)
    if (windows !== null && windows.seriesId !== block.seriesId) {
      yield windows
      windows = null
    }
    windows ??= aggregator.empty(block.seriesId)
    aggregator.add(windows, block)
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
