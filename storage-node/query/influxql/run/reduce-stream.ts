import { compareText } from '../scalar.ts'
import { isNil, noAux, type Point, type Tags } from './point.ts'
import type { Reducer } from './reducers.ts'
import { batchSize, PointReader, type Holder, type Points } from './stream.ts'
import type { Output, Transformer } from './transformers.ts'
import { windowOf, type WindowOptions } from './window.ts'

export interface ReduceOptions extends WindowOptions {
  readonly ascending: boolean
  /** Points within a window go out in the order of their times. */
  readonly ordered: boolean
  /** The tags that make output series. */
  readonly dimensions: readonly string[]
  /** The tags that make groups at this level: these or more. */
  readonly groupBy: readonly string[]
}

interface Group {
  readonly name: string
  readonly tags: Tags
  readonly reducer: Reducer
}

/**
 * Reduces the points of each window and group. The input holds the points of a window together.
 * @param holder counts what a window's reducers keep of its points
 */
export async function* reduceWindows(
  input: Points,
  options: ReduceOptions,
  create: () => Reducer,
  holder: Holder,
): Points {
  const reader = new PointReader(input)
  try {
    let batch: Point[] = []
    for (;;) {
      const reduced = await reduceWindow(reader, options, create, holder)
      if (reduced === null) break
      batch.push(...reduced)
      if (batch.length >= batchSize) {
        yield batch
        batch = []
      }
    }
    if (batch.length > 0) yield batch
  } finally {
    await reader.close()
  }
}

async function reduceWindow(
  reader: PointReader,
  options: ReduceOptions,
  create: () => Reducer,
  holder: Holder,
): Promise<readonly Point[] | null> {
  for (;;) {
    if (reader.current === undefined && !(await reader.fill())) return null
    if (!isNil(reader.current!)) break
    reader.advance()
  }
  const first = reader.current!
  const { startNs, endNs } = windowOf(options, first.timeNs)
  const windowTags = first.tags.subset(options.dimensions).id
  const groups = new Map<string, Group>()
  let last: { readonly tags: Tags; readonly group: Group } | null = null
  let keptBytes = 0
  let heldBytes = 0
  for (;;) {
    if (reader.current === undefined) {
      holder.hold(keptBytes - heldBytes)
      heldBytes = keptBytes
      if (!(await reader.fill())) break
    }
    const point = reader.current!
    // Where clocks change, a point may lie outside the window that is worked out for it.
    if (point !== first && (point.timeNs >= endNs || point.timeNs < startNs)) break
    if (!isNil(point)) {
      if (last === null || last.tags !== point.tags) {
        if (point.name !== first.name || point.tags.subset(options.dimensions).id !== windowTags) break
        last = { tags: point.tags, group: groupOf(groups, point, options.groupBy, create) }
      } else if (point.name !== first.name) break
      keptBytes += last.group.reducer.add(point)
    }
    reader.advance()
  }
  const reduced = emit(groups, startNs, options)
  holder.release(heldBytes)
  return reduced
}

function groupOf(
  groups: Map<string, Group>,
  point: Point,
  groupBy: readonly string[],
  create: () => Reducer,
): Group {
  const tags = point.tags.subset(groupBy)
  const known = groups.get(tags.id)
  if (known !== undefined) return known
  const group = { name: point.name, tags, reducer: create() }
  groups.set(tags.id, group)
  return group
}

function emit(groups: ReadonlyMap<string, Group>, startNs: bigint, options: ReduceOptions): readonly Point[] {
  const direction = options.ascending ? 1 : -1
  const points: Point[] = []
  let timed = false
  for (const group of [...groups.values()].sort((a, b) => direction * compareText(a.tags.id, b.tags.id))) {
    for (const { timeNs, value, aux, aggregated } of group.reducer.emit()) {
      timed ||= timeNs !== null
      points.push({ name: group.name, tags: group.tags, timeNs: timeNs ?? startNs, value, aux, aggregated })
    }
  }
  if (timed && options.ordered) {
    points.sort((a, b) => direction * (a.timeNs < b.timeNs ? -1 : a.timeNs > b.timeNs ? 1 : 0))
  }
  return points
}

interface TransformGroup {
  readonly name: string
  readonly tags: Tags
  readonly transformer: Transformer
}

/** Transforms the points of each group one after another; what a group has left goes out before the next series. */
export async function* transform(
  input: Points,
  options: Pick<ReduceOptions, 'dimensions' | 'groupBy'>,
  create: () => Transformer,
): Points {
  let series = ''
  const groups = new Map<string, TransformGroup>()
  for await (const batch of input) {
    const output: Point[] = []
    for (const point of batch) {
      if (isNil(point)) continue
      const pointSeries = `${point.name}\0${point.tags.subset(options.dimensions).id}`
      if (pointSeries !== series) {
        output.push(...finish(groups))
        series = pointSeries
      }
      const group = transformGroupOf(groups, point, options.groupBy, create)
      const result = group.transformer.add(point)
      if (result !== null) output.push(outputOf(group, result))
    }
    if (output.length > 0) yield output
  }
  const rest = finish(groups)
  if (rest.length > 0) yield rest
}

function transformGroupOf(
  groups: Map<string, TransformGroup>,
  point: Point,
  groupBy: readonly string[],
  create: () => Transformer,
): TransformGroup {
  const tags = point.tags.subset(groupBy)
  const known = groups.get(tags.id)
  if (known !== undefined) return known
  const group = { name: point.name, tags, transformer: create() }
  groups.set(tags.id, group)
  return group
}

const outputOf = ({ name, tags }: TransformGroup, output: Output): Point => ({
  name,
  tags,
  timeNs: output.timeNs,
  value: output.value,
  aux: noAux,
  aggregated: 0,
})

function finish(groups: Map<string, TransformGroup>): readonly Point[] {
  const rest: Point[] = []
  for (const group of groups.values()) {
    const result = group.transformer.finish?.() ?? null
    if (result !== null) rest.push(outputOf(group, result))
  }
  groups.clear()
  return rest
}
