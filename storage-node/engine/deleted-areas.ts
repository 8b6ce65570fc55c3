import {
  hasSeries,
  runsOf,
  touches,
  type DeletedArea,
  type FileBounds,
  type Tombstone,
} from './tombstones.ts'

/**
 * What is deleted of a file among the wanted series, in as few areas as say it. Whoever reads a file's rows has to leave
 * out those in these areas; whoever takes figures of a file as a whole must not where there is
 * one.
 * @param wanted ids, in any order
 */
export function deletedAreas(
  tombstones: readonly Tombstone[],
  wanted: readonly number[],
): (file: FileBounds) => readonly DeletedArea[] {
  const sorted = wanted.toSorted((a, b) => a - b)
  const known = new Map<Tombstone, readonly number[] | null>()
  const seriesOf = (tombstone: Tombstone): readonly number[] | null => {
    let series = known.get(tombstone)
    if (series === undefined) {
      const hit = sorted.filter((id) => hasSeries(tombstone.series, id))
      series = hit.length === sorted.length ? null : runsOf(hit, sorted)
      known.set(tombstone, series)
    }
    return series
  }
  // Most files are touched by the same deletes.
  const simple = new Map<string, readonly DeletedArea[]>()
  return (file) => {
    const touching = tombstones.filter((tombstone) => touches(tombstone, file))
    if (touching.length === 0) return []
    const key = touching.map(({ position }) => position).join()
    let areas = simple.get(key)
    if (!areas) {
      areas = simplified(touching.map((each) => areaOf(each, seriesOf(each))))
      simple.set(key, areas)
    }
    return areas
  }
}

export const areaOf = (
  { minTimeNs, maxTimeNs }: DeletedArea,
  series: readonly number[] | null,
): DeletedArea => ({ series, minTimeNs, maxTimeNs })

/**
 * The same areas as fewer: those of one span of time are one, those of the same series whose spans touch are one, and
 * what another one contains is left out.
 */
export function simplified(areas: readonly DeletedArea[]): readonly DeletedArea[] {
  const some = areas.filter(({ series }) => series === null || series.length > 0)
  if (some.length < 2) return some
  const bySpan = [...grouped(some, ({ minTimeNs, maxTimeNs }) => `${minTimeNs} ${maxTimeNs}`)].map((group) =>
    group.reduce((a, b) => ({ ...a, series: union(a.series, b.series) })),
  )
  const bySeries = [...grouped(bySpan, ({ series }) => series?.join() ?? '')].flatMap(joined)
  return bySeries.filter((area) => !bySeries.some((other) => other !== area && contains(other, area)))
}

/** Does the area have all that the other one has? Of two that are the same each contains the other. */
export function contains(area: DeletedArea, other: DeletedArea): boolean {
  if (area.minTimeNs > other.minTimeNs || area.maxTimeNs < other.maxTimeNs) return false
  if (area.series === null) return true
  if (other.series === null) return false
  let at = 0
  for (let index = 0; index < other.series.length; index += 2) {
    while (at < area.series.length && area.series[at + 1]! < other.series[index]!) at += 2
    const isIn =
      at < area.series.length &&
      area.series[at]! <= other.series[index]! &&
      area.series[at + 1]! >= other.series[index + 1]!
    if (!isIn) return false
  }
  return true
}

function grouped(areas: readonly DeletedArea[], keyOf: (area: DeletedArea) => string) {
  const groups = new Map<string, DeletedArea[]>()
  for (const area of areas) {
    const key = keyOf(area)
    const group = groups.get(key)
    if (group) group.push(area)
    else groups.set(key, [area])
  }
  return groups.values()
}

/** @param areas of the same series @returns those whose spans touch made one */
function joined(areas: readonly DeletedArea[]): DeletedArea[] {
  const result: DeletedArea[] = []
  for (const area of areas.toSorted((a, b) => (a.minTimeNs < b.minTimeNs ? -1 : 1))) {
    const last = result.at(-1)
    if (!last || area.minTimeNs > last.maxTimeNs + 1n) result.push(area)
    else if (area.maxTimeNs > last.maxTimeNs)
      result[result.length - 1] = { ...last, maxTimeNs: area.maxTimeNs }
  }
  return result
}

type Runs = readonly number[] | null

function union(a: Runs, b: Runs): Runs {
  if (a === null || b === null) return null
  const runs: number[] = []
  let [atA, atB] = [0, 0]
  while (atA < a.length || atB < b.length) {
    const fromA = atB >= b.length || (atA < a.length && a[atA]! <= b[atB]!)
    const [first, last] = fromA ? [a[atA]!, a[atA + 1]!] : [b[atB]!, b[atB + 1]!]
    if (fromA) atA += 2
    else atB += 2
    if (runs.length > 0 && first <= runs.at(-1)! + 1) runs[runs.length - 1] = Math.max(runs.at(-1)!, last)
    else runs.push(first, last)
  }
  return runs
}
