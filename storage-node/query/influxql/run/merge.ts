import { compareText } from '../scalar.ts'
import { Heap } from './heap.ts'
import type { Point } from './point.ts'
import { batchSize, emptyPoints, type PointReader, type Points, withReaders } from './stream.ts'
import { windowOf, type Window, type WindowOptions } from './window.ts'

export interface MergeOptions extends WindowOptions {
  readonly ascending: boolean
  /** The tags that make groups. */
  readonly dimensions: readonly string[]
}

/** Streams merged into the order group, then time. */
export function mergeSorted(inputs: readonly Points[], options: MergeOptions): Points {
  if (inputs.length < 2) return inputs[0] ?? emptyPoints()
  return withReaders(inputs, (readers) => sorted(readers, options))
}

/** Streams merged so that the points of a window come together, those of one stream behind those of another. */
export function mergeWindows(inputs: readonly Points[], options: MergeOptions): Points {
  if (inputs.length < 2) return inputs[0] ?? emptyPoints()
  return withReaders(inputs, (readers) => windows(readers, options))
}

async function filled(readers: readonly PointReader[]): Promise<readonly PointReader[]> {
  const full: PointReader[] = []
  for (const reader of readers) if (await reader.fill()) full.push(reader)
  return full
}

/** The order of groups under the dimensions, which may be fewer than the tags that points carry. */
function groupOrder(a: Point, b: Point, dimensions: readonly string[]): number {
  if (a.tags === b.tags && a.name === b.name) return 0
  return (
    compareText(a.name, b.name) || compareText(a.tags.subset(dimensions).id, b.tags.subset(dimensions).id)
  )
}

/** Ties at one time go by the strings that come along, as far as there are. */
function auxOrder(a: Point, b: Point): number {
  if (a.aux.length !== b.aux.length) return 0
  for (const [i, left] of a.aux.entries()) {
    const right = b.aux[i]
    if (typeof left !== 'string' || typeof right !== 'string') return 0
    if (left !== right) return compareText(left, right)
  }
  return 0
}

async function* sorted(all: readonly PointReader[], { ascending, dimensions }: MergeOptions): Points {
  const order = (a: Point, b: Point): number =>
    groupOrder(a, b, dimensions) || (a.timeNs < b.timeNs ? -1 : a.timeNs > b.timeNs ? 1 : auxOrder(a, b))
  const less = ascending
    ? (a: PointReader, b: PointReader): boolean => order(a.current!, b.current!) < 0
    : (a: PointReader, b: PointReader): boolean => order(a.current!, b.current!) > 0
  const heap = new Heap(await filled(all), less)
  let batch: Point[] = []
  for (let reader = heap.pop(); reader !== undefined; reader = heap.pop()) {
    batch.push(reader.current!)
    if (batch.length >= batchSize) {
      yield batch
      batch = []
    }
    reader.advance()
    if (reader.current !== undefined || (await reader.fill())) heap.push(reader)
  }
  if (batch.length > 0) yield batch
}

interface WindowItem {
  readonly reader: PointReader
  window: Window
}

async function* windows(all: readonly PointReader[], options: MergeOptions): Points {
  const { ascending, dimensions } = options
  const order = (a: WindowItem, b: WindowItem): number =>
    groupOrder(a.reader.current!, b.reader.current!, dimensions) ||
    (a.window.startNs < b.window.startNs ? -1 : a.window.startNs > b.window.startNs ? 1 : 0)
  const items = (await filled(all)).map((reader) => ({
    reader,
    window: windowOf(options, reader.current!.timeNs),
  }))
  const heap = new Heap<WindowItem>(items, ascending ? (a, b) => order(a, b) < 0 : (a, b) => order(a, b) > 0)
  for (let item = heap.pop(); item !== undefined; item = heap.pop()) {
    let batch: Point[] = []
    const first = item.reader.current!
    const { window, reader } = item
    for (;;) {
      batch.push(reader.current!)
      reader.advance()
      if (batch.length >= batchSize) {
        yield batch
        batch = []
      }
      if (reader.current === undefined && !(await reader.fill())) break
      const next = reader.current!
      const inside = ascending ? next.timeNs < window.endNs : next.timeNs >= window.startNs
      if (!inside || groupOrder(first, next, dimensions) !== 0) {
        item.window = windowOf(options, next.timeNs)
        heap.push(item)
        break
      }
    }
    if (batch.length > 0) yield batch
  }
}
