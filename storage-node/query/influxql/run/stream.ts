import type { DataType } from '../ast.ts'
import type { Point } from './point.ts'

/** Points in order: by name and tags, then time; in batches that are never empty. */
export type Points = AsyncGenerator<readonly Point[], void, undefined>

export interface Stream {
  readonly type: DataType
  /** The points have the times of their windows' starts already. */
  readonly atStarts?: boolean
  readonly points: Points
}

/** Reads a stream point by point, waiting only where a batch ends. */
export class PointReader {
  readonly #points: Points
  #batch: readonly Point[] = []
  #at = 0

  constructor(points: Points) {
    this.#points = points
  }

  /** The point that comes next, or undefined when `fill` must be asked. */
  get current(): Point | undefined {
    return this.#batch[this.#at]
  }

  advance(): void {
    this.#at++
  }

  /** Loads the next batch when the last is used up. @returns whether there is a current point */
  async fill(): Promise<boolean> {
    while (this.#at >= this.#batch.length) {
      const next = await this.#points.next()
      if (next.done === true) return false
      this.#batch = next.value
      this.#at = 0
    }
    return true
  }

  async close(): Promise<void> {
    await this.#points.return()
  }
}

/** Runs `use` with readers and closes them, whatever happens. */
export async function* withReaders(
  inputs: readonly Points[],
  use: (readers: readonly PointReader[]) => Points,
): Points {
  const readers = inputs.map((points) => new PointReader(points))
  try {
    yield* use(readers)
  } finally {
    for (const reader of readers) await reader.close()
  }
}

/** As many points as one batch has at most. */
export const batchSize = 1_024

/** How many rows have at most so many values; one at least. */
export const rowsFor = (width: number, maxCells: number): number =>
  Math.max(1, Math.floor(maxCells / Math.max(1, width)))

export async function* emptyPoints(): Points {}

export async function* concatenate(inputs: readonly (() => Points)[]): Points {
  for (const open of inputs) yield* open()
}

/** Changes points one by one; null leaves one out. */
export async function* mapPoints(input: Points, change: (point: Point) => Point | null): Points {
  for await (const batch of input) {
    const changed = batch.map(change).filter((point) => point !== null)
    if (changed.length > 0) yield changed
  }
}

/** Counts the bytes that are in memory until they are looked at; looking at them gives others a turn. */
export interface Holder {
  /** Points that a stream makes at one time: of many streams each makes fewer. */
  readonly batchSize: number
  /** @throws AppError too-large */
  hold(bytes: number): void
  release(bytes: number): void
  giveTurn(): Promise<void>
}

/** About what a point takes in memory, and each value that comes along. */
const pointBytes = 120
const auxBytes = 24

/** Reads a stream now and gives its points later. */
export async function gather(points: Points, holder: Holder): Promise<Points> {
  const batches: (readonly Point[])[] = []
  for await (const batch of points) {
    holder.hold(bytesOf(batch))
    batches.push(batch)
  }
  return replay(batches, holder)
}

async function* replay(batches: (readonly Point[])[], holder: Holder): Points {
  // What has been looked at is let go at once.
  batches.reverse()
  for (let batch = batches.pop(); batch !== undefined; batch = batches.pop()) {
    yield batch
    holder.release(bytesOf(batch))
    await holder.giveTurn()
  }
}

function bytesOf(batch: readonly Point[]): number {
  let bytes = batch.length * (pointBytes + auxBytes * (batch[0]?.aux.length ?? 0))
  for (const { value, aux } of batch) {
    bytes += textBytes(value)
    for (const one of aux) bytes += textBytes(one)
  }
  return bytes
}

const textBytes = (value: Point['value']): number => (typeof value === 'string' ? 2 * value.length : 0)
