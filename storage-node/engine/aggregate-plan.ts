import type { StoredFile } from '../files/file-store.ts'

/** A span of time of which the query process makes windows out of files alone. */
export interface FileStep {
  /** Inclusive, nanoseconds; so is the other. */
  readonly minTimeNs: bigint
  readonly maxTimeNs: bigint
  /** In an order in which the rows of each series come by time, unless they must be merged. */
  readonly files: readonly StoredFile[]
  /** Several files may have the same point: rows must be sorted, and the newer one of two counts. */
  readonly merged: boolean
}

interface Span {
  readonly minTimeNs: bigint
  readonly maxTimeNs: bigint
}

type Wanted = Span & { readonly minSeries: number; readonly maxSeries: number }

/** Beyond this many spans all is merged at once. */
const maxSteps = 64

/**
 * Cuts time where files begin and cease to overlap, so that only rows which may be there twice need to be merged. The
 * steps come in the order of time.
 */
export function planSteps(all: readonly StoredFile[], wanted: Wanted): readonly FileStep[] {
  const files = all
    .filter((file) => overlaps(file, wanted) && hasSeries(file, wanted))
    .sort((a, b) => (a.minTimeNs < b.minTimeNs ? -1 : a.minTimeNs > b.minTimeNs ? 1 : 0))
  if (files.length === 0) return []
  const shared = joined(sharedSpans(files, wanted))
  if (shared.length > maxSteps / 2) return [stepOf(files, wanted, true)]
  const steps: FileStep[] = []
  let fromNs = wanted.minTimeNs
  for (const span of shared) {
    if (span.minTimeNs > fromNs)
      steps.push(stepOf(files, { minTimeNs: fromNs, maxTimeNs: span.minTimeNs - 1n }, false))
    steps.push(stepOf(files, span, true))
    fromNs = span.maxTimeNs + 1n
  }
  if (fromNs <= wanted.maxTimeNs)
    steps.push(stepOf(files, { minTimeNs: fromNs, maxTimeNs: wanted.maxTimeNs }, false))
  return steps.filter((step) => step.files.length > 0)
}

const overlaps = (a: Span, b: Span): boolean => a.minTimeNs <= b.maxTimeNs && a.maxTimeNs >= b.minTimeNs

const hasSeries = ({ entry }: StoredFile, { minSeries, maxSeries }: Wanted): boolean =>
  entry.minSeries <= maxSeries && entry.maxSeries >= minSeries

const shareSeries = ({ entry: a }: StoredFile, { entry: b }: StoredFile): boolean =>
  a.minSeries <= b.maxSeries && a.maxSeries >= b.minSeries

/** Those of one flush have no point in common; compaction keeps files of one position apart in time. */
const mayShareRows = (a: StoredFile, b: StoredFile): boolean =>
  a.entry.lastPosition !== b.entry.lastPosition && shareSeries(a, b)

/** @param files by their first time */
function sharedSpans(files: readonly StoredFile[], wanted: Span): readonly Span[] {
  const spans: Span[] = []
  for (const [index, a] of files.entries()) {
    for (const b of files.slice(index + 1)) {
      if (b.minTimeNs > a.maxTimeNs) break
      if (mayShareRows(a, b))
        spans.push({ minTimeNs: b.minTimeNs, maxTimeNs: least(a.maxTimeNs, b.maxTimeNs) })
    }
  }
  return spans
    .filter((span) => overlaps(span, wanted))
    .map((span) => ({
      minTimeNs: greatest(span.minTimeNs, wanted.minTimeNs),
      maxTimeNs: least(span.maxTimeNs, wanted.maxTimeNs),
    }))
}

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)
const greatest = (a: bigint, b: bigint): bigint => (a > b ? a : b)

/** Spans that touch made one, by time. */
function joined(spans: readonly Span[]): readonly Span[] {
  const result: Span[] = []
  for (const span of spans.toSorted((a, b) => (a.minTimeNs < b.minTimeNs ? -1 : 1))) {
    const last = result.at(-1)
    if (last && span.minTimeNs <= last.maxTimeNs + 1n)
      result[result.length - 1] = { ...last, maxTimeNs: greatest(last.maxTimeNs, span.maxTimeNs) }
    else result.push(span)
  }
  return result
}

function stepOf(all: readonly StoredFile[], { minTimeNs, maxTimeNs }: Span, merged: boolean): FileStep {
  const files = all.filter((file) => overlaps(file, { minTimeNs, maxTimeNs }))
  const clusters = merged ? null : clustersOf(files, minTimeNs, maxTimeNs)
  return { minTimeNs, maxTimeNs, files: clusters?.flat() ?? files, merged: clusters === null }
}

/**
 * Files whose times overlap stand by their series: they are of one flush, which cuts between series, or have no series
 * in common.
 * @param files by their first time
 * @returns null where neither holds
 */
function clustersOf(
  files: readonly StoredFile[],
  minTimeNs: bigint,
  maxTimeNs: bigint,
): StoredFile[][] | null {
  const clusters: StoredFile[][] = []
  let endNs = minTimeNs - 1n
  for (const file of files) {
    if (greatest(file.minTimeNs, minTimeNs) > endNs) clusters.push([])
    clusters.at(-1)!.push(file)
    endNs = greatest(endNs, least(file.maxTimeNs, maxTimeNs))
  }
  const isOrdered = clusters.every((cluster) =>
    cluster.every((a, index) => !cluster.slice(index + 1).some((b) => mayShareRows(a, b))),
  )
  if (!isOrdered) return null
  const sorted = clusters.map((cluster) => cluster.toSorted(bySeries))
  return sorted.every((cluster) =>
    cluster.every((a, index) => cluster.slice(index + 1).every((b) => mayComeBefore(a, b))),
  )
    ? sorted
    : null
}

/** A third file may have brought two of other times together: of a series that both have, the earlier must come first. */
function mayComeBefore(a: StoredFile, b: StoredFile): boolean {
  if (a.entry.maxSeries < b.entry.minSeries || b.entry.maxSeries < a.entry.minSeries) return true
  return a.maxTimeNs < b.minTimeNs || (overlaps(a, b) && a.entry.maxSeries === b.entry.minSeries)
}

function bySeries(a: StoredFile, b: StoredFile): number {
  return (
    a.entry.minSeries - b.entry.minSeries ||
    a.entry.maxSeries - b.entry.maxSeries ||
    (a.minTimeNs < b.minTimeNs ? -1 : a.minTimeNs > b.minTimeNs ? 1 : 0)
  )
}
