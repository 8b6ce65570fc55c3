import { minTimeNs } from '../../time.ts'
import { sinceGoTruncate } from '../compile-dimensions.ts'
import { sameGroup, type Point } from './point.ts'
import { mapPoints, type Points } from './stream.ts'
import { windowOf, type WindowOptions } from './window.ts'

/** Gives each point the time of its window; a range without a start counts from the epoch. */
export function atWindowStart(input: Points, options: WindowOptions): Points {
  return mapPoints(input, (point) => {
    const { startNs } = windowOf(options, point.timeNs)
    return { ...point, timeNs: startNs === minTimeNs ? 0n : startNs }
  })
}

/** At most `limit` points of each group (0 for all), behind the first `offset`. */
export async function* limitPoints(input: Points, limit: number, offset: number): Points {
  let previous: Point | null = null
  let n = 0
  for await (const batch of input) {
    const kept: Point[] = []
    for (const point of batch) {
      if (previous === null || !sameGroup(point, previous)) n = 0
      previous = point
      n++
      if (n > offset && (limit === 0 || n - offset <= limit)) kept.push(point)
    }
    if (kept.length > 0) yield kept
  }
}

/** The first `count` points of a stream; reading ends there. */
export async function* takePoints(input: Points, count: number): Points {
  let left = count
  for await (const batch of input) {
    yield batch.slice(0, left)
    left -= batch.length
    if (left <= 0) return
  }
}

/** The first `count` points of each shard. */
export async function* takeOfShards(input: Points, count: number, shardNs: bigint): Points {
  const counts = new Map<bigint, number>()
  for await (const batch of input) {
    const kept = batch.filter(({ timeNs }) => {
      const shard = timeNs - sinceGoTruncate(timeNs, shardNs)
      const n = (counts.get(shard) ?? 0) + 1
      counts.set(shard, n)
      return n <= count
    })
    if (kept.length > 0) yield kept
  }
}

/** All points of each group behind the first `offset` of each shard. */
export async function* skipOfShards(input: Points, offset: number, shardNs: bigint): Points {
  const last = new Map<bigint, { readonly point: Point; readonly n: number }>()
  for await (const batch of input) {
    const kept = batch.filter((point) => {
      const shard = point.timeNs - sinceGoTruncate(point.timeNs, shardNs)
      const before = last.get(shard)
      const n = before && sameGroup(before.point, point) ? before.n + 1 : 1
      last.set(shard, { point, n })
      return n > offset
    })
    if (kept.length > 0) yield kept
  }
}
