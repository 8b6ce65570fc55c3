import { Aggregator, type Aggregation, type SeriesWindows } from '../aggregation/series-windows.ts'
import { firstBuffered, jobOf, readBlocks, reportDamage, type ReadSource } from './read.ts'
import { expectedRows, type ReadBounds } from './read-plan.ts'
import type { AggregateRequest, Block } from './reader.ts'

/** Values of windows that the query process and the engine hold at a time, in JavaScript's heap. */
const maxValuesPerGroup = 100_000
const maxSeriesPerGroup = 5_000

/**
 * The windows of series: of what is in files alone they are made in the query process, and points from the first
 * buffered one on are added to them here.
 */
export async function* readWindows(
  source: ReadSource,
  bounds: ReadBounds,
  aggregation: Aggregation,
  countPoints: AggregateRequest['countPoints'],
): AsyncGenerator<SeriesWindows> {
  const aggregator = new Aggregator(aggregation)
  const restFromNs = firstBuffered(source, bounds)
  const filesEndNs = restFromNs === null ? bounds.maxTimeNs : restFromNs - 1n
  const rest = new BlockReader(
    restFromNs === null ? none() : readBlocks(source, { ...bounds, minTimeNs: restFromNs }),
  )
  try {
    for (const seriesIds of groupsOf(source, bounds, aggregation)) {
      const group = { ...bounds, seriesIds, maxTimeNs: filesEndNs }
      const found = await windowsOfFiles(source, group, aggregation, countPoints)
      for (const seriesId of seriesIds) {
        const windows = found.get(seriesId) ?? aggregator.empty(seriesId)
        for (;;) {
          const block = await rest.blockOf(seriesId)
          if (!block) break
          countPoints(block.times.length)
          aggregator.add(windows, block)
        }
        if (windows.startsNs.length > 0) yield windows
      }
    }
  } finally {
    await rest.close()
  }
}

async function* none(): AsyncGenerator<Block> {}

/** Hands blocks out series by series. */
class BlockReader {
  readonly #blocks: AsyncGenerator<Block>
  #next: IteratorResult<Block, unknown> | null = null

  constructor(blocks: AsyncGenerator<Block>) {
    this.#blocks = blocks
  }

  async blockOf(seriesId: number): Promise<Block | null> {
    this.#next ??= await this.#blocks.next()
    if (this.#next.done || this.#next.value.seriesId !== seriesId) return null
    const block = this.#next.value
    this.#next = null
    return block
  }

  async close(): Promise<void> {
    await this.#blocks.return(undefined)
  }
}

/** Series whose windows are held together. */
function* groupsOf(
  { files }: ReadSource,
  bounds: ReadBounds,
  { windowing, measures }: Aggregation,
): Generator<readonly number[]> {
  const { seriesIds, minTimeNs, maxTimeNs } = bounds
  const { durationNs } = windowing
  const windows = durationNs === 0n ? 1 : Number((maxTimeNs - minTimeNs) / durationNs) + 2
  const valuesPerWindow = measures.reduce((sum, { statistics }) => sum + Math.max(1, statistics.length), 0)
  let group: number[] = []
  let values = 0
  for (const seriesId of seriesIds) {
    const more = Math.min(windows, Math.ceil(expectedRows(files, seriesId, bounds))) * valuesPerWindow
    if (group.length >= maxSeriesPerGroup || (group.length > 0 && values + more > maxValuesPerGroup)) {
      yield group
      group = []
      values = 0
    }
    group.push(seriesId)
    values += more
  }
  if (group.length > 0) yield group
}

async function windowsOfFiles(
  source: ReadSource,
  bounds: ReadBounds,
  aggregation: Aggregation,
  countPoints: AggregateRequest['countPoints'],
): Promise<ReadonlyMap<number, SeriesWindows>> {
  const found = new Map<number, SeriesWindows>()
  if (bounds.minTimeNs > bounds.maxTimeNs) return found
  const read = jobOf(source, bounds)
  if (read.files.length === 0) return found
  try {
    for await (const { windows, rowCount } of source.queryProcess.aggregateParquet(
      { read, aggregation },
      source.signal,
    )) {
      countPoints(rowCount)
      for (const each of windows) found.set(each.seriesId, each)
    }
  } catch (error) {
    source.signal.throwIfAborted()
    await reportDamage(source, error)
  }
  return found
}
