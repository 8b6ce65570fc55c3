import { minTimeNs as lowestNs } from '../../time.ts'
import type { Call, Expr } from '../ast.ts'
import type { ResolvedSelect } from '../resolve.ts'
import type { BoundMeasurement } from '../schema.ts'
import { some } from '../walk.ts'
import { readsFields, type Environment } from './environment.ts'
import type { RunOptions } from './options.ts'
import { rangeOf } from './storage.ts'
import type { TagSet } from './tag-sets.ts'
import { windowOf } from './window.ts'

/**
 * SELECTs that need only one end of their time range: the first rows of each series of the answer, or its last values.
 * That end is read first, then more and more, until every series is complete: the rest of the data is never looked at.
 */

/** An answer is held back until it is known to be complete. */
const maxHeldValues = 100_000
const firstSliceNs = 60_000_000_000n
const growth = 16n
const maxSlices = 4

/** Any order of series gives the same result to the last bit. */
const commutative = new Set(['count', 'min', 'max', 'first', 'last'])
const windowed = new Set([...commutative, 'sum', 'mean', 'median', 'stddev', 'spread', 'mode'])

interface Ends {
  readonly sets: readonly TagSet[]
  /** The end that the answer begins with. */
  readonly newest: boolean
  /** Of each series of the answer. */
  readonly rows: number
  /** Windows that the rows may be made of, whether there are points in them or not. */
  readonly windows: number
  /** All that a row has is asked for: what is not there may be earlier or later. */
  readonly needsValues: boolean
  /** The one range of time in which the measurement has points, cut to the SELECT's own; inclusive. */
  readonly minTimeNs: bigint
  readonly maxTimeNs: bigint
}

/** Parts of the answer, each of one or more rows. */
interface Parts<T> {
  /** Runs the SELECT. */
  readonly open: (options: RunOptions) => AsyncGenerator<T, void, undefined>
  readonly rowsIn: (part: T) => number
  readonly lacksValues: (part: T) => boolean
}

export async function* readEnds<T>(
  environment: Environment,
  select: ResolvedSelect,
  options: RunOptions,
  parts: Parts<T>,
): AsyncGenerator<T, void, undefined> {
  const ends = endsOf(environment, select, options)
  if (ends !== null) {
    for (const slice of slicesOf(ends, options)) {
      const all: T[] = []
      for await (const part of parts.open({ ...options, ...slice })) all.push(part)
      if (!isComplete(all, ends, parts)) {
        environment.forgetPoints()
        continue
      }
      yield* all
      return
    }
  }
  yield* parts.open(options)
}

/** Every series has all of its rows, and values where these are all that is asked for. */
function isComplete<T>(all: readonly T[], ends: Ends, { rowsIn, lacksValues }: Parts<T>): boolean {
  const rows = all.reduce((sum, part) => sum + rowsIn(part), 0)
  if (rows !== ends.sets.length * ends.rows) return false
  return !ends.needsValues || !all.some(lacksValues)
}

function endsOf(environment: Environment, select: ResolvedSelect, options: RunOptions): Ends | null {
  const [source] = select.sources
  const { limit, offset, seriesLimit, seriesOffset, fill } = options
  if (select.sources.length > 1 || source?.kind !== 'measurement' || source.schemas.length !== 1) return null
  if (seriesLimit > 0 || seriesOffset > 0 || options.zone !== null || fill.kind === 'linear') return null
  const calls = callsOf(select)
  const asked = calls && endAskedFor(select, options, calls)
  if (!calls || !asked) return null
  const schema = source.schemas[0]!
  if (!readsFields(select, schema)) return null
  const sets = environment.tagSets(source.databaseId, schema, options)
  const rows = limit > 0 ? limit : 1
  if (sets.length === 0 || sets.length * rows * select.columns.length > maxHeldValues) return null
  // Where series are merged, those without points at the end may matter for the order of equal times.
  const merges = sets.some(({ series }) => series.length > 1)
  if (merges && !(asked.windows && calls.every(({ name }) => commutative.has(name)))) return null
  const times = timesOf(environment, source, options)
  const windows = asked.windows ? limit + offset : 0
  const needsValues = calls.length > 0 && windows === 0
  return times && { ...times, sets, newest: asked.newest, rows, windows, needsValues }
}

function timesOf(
  { reader }: Environment,
  { databaseId, retentionPolicy, schemas }: BoundMeasurement,
  options: RunOptions,
): Pick<Ends, 'minTimeNs' | 'maxTimeNs'> | null {
  const stored = reader.timeRange?.(databaseId, retentionPolicy, schemas[0]!.name) ?? null
  if (stored === null) return null
  const asked = rangeOf(options)
  const minTimeNs = greatest(stored.minTimeNs, asked.minTimeNs)
  const maxTimeNs = least(stored.maxTimeNs, asked.maxTimeNs)
  return minTimeNs > maxTimeNs ? null : { minTimeNs, maxTimeNs }
}

/** The functions of fields; null when the SELECT has others. */
function callsOf(select: ResolvedSelect): readonly Call[] | null {
  const calls: Call[] = []
  for (const { expr } of select.fields) {
    if (expr.kind === 'call' && windowed.has(expr.name) && isRef(expr.args[0])) calls.push(expr)
    else if (some(expr, (node) => node.kind === 'call')) return null
  }
  return calls
}

const isRef = (expr: Expr | undefined): boolean => expr?.kind === 'ref'

function endAskedFor(
  select: ResolvedSelect,
  { interval, limit, ascending, fill, startNs }: RunOptions,
  calls: readonly Call[],
): { readonly newest: boolean; readonly windows: boolean } | null {
  if (calls.length === 0) return limit > 0 ? { newest: !ascending, windows: false } : null
  if (calls.length < select.fields.length) return null
  if (interval.durationNs > 0n) {
    // Of several functions each has windows from its own first value on.
    if (calls.length > 1) return null
    // From the first point of each series on, which need not be near the first of all.
    if (ascending && fill.kind !== 'none' && startNs === lowestNs) return null
    return limit > 0 ? { newest: !ascending, windows: true } : null
  }
  if (limit > 0) return null
  if (calls.every(({ name }) => name === 'last')) return { newest: true, windows: false }
  return calls.every(({ name }) => name === 'first') ? { newest: false, windows: false } : null
}

/** Larger and larger parts of the range at its end, none of them all of it. */
function* slicesOf(
  { newest, windows, minTimeNs, maxTimeNs }: Ends,
  options: RunOptions,
): Generator<Pick<RunOptions, 'storageMinNs' | 'storageMaxNs'>> {
  const { interval, startNs, endNs, storageMinNs, storageMaxNs } = options
  const spanNs = BigInt(windows) * interval.durationNs
  let sliceNs = firstSliceNs
  for (let count = 0; count < maxSlices; count++, sliceNs *= growth) {
    if (newest) {
      const reachNs = least(maxTimeNs - sliceNs, windows > 0 ? endNs - spanNs : maxTimeNs)
      const fromNs = windows > 0 ? windowOf(options, reachNs).startNs : reachNs
      if (fromNs <= minTimeNs) return
      yield { storageMinNs: greatest(fromNs, storageMinNs), storageMaxNs }
    } else {
      const reachNs = greatest(minTimeNs + sliceNs, windows > 0 ? startNs + spanNs : minTimeNs)
      const toNs = windows > 0 ? windowOf(options, reachNs).endNs - 1n : reachNs
      if (toNs >= maxTimeNs) return
      yield { storageMinNs, storageMaxNs: least(toNs, storageMaxNs) }
    }
  }
}

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)
const greatest = (a: bigint, b: bigint): bigint => (a > b ? a : b)
