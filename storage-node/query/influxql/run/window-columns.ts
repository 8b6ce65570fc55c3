import type { Measure, SeriesWindows, Statistic } from '../../../aggregation/series-windows.ts'
import type { FieldType, MeasurementSchema, Reader } from '../../../engine/reader.ts'
import { maxTimeNs, minTimeNs } from '../../time.ts'
import type { Call, Expr } from '../ast.ts'
import type { ResolvedSelect } from '../resolve.ts'
import type { BoundMeasurement } from '../schema.ts'
import { maxWindowsOfSeries, statistics, windowsBytes } from './aggregates.ts'
import type { Environment } from './environment.ts'
import type { GroupTables } from './group-tables.ts'
import type { RunOptions } from './options.ts'
import { rangeOf } from './storage.ts'
import type { SymbolTable } from './symbols.ts'
import type { TagSet } from './tag-sets.ts'
import { windowOf } from './window.ts'
import type { WindowFunctionName } from './window-merge.ts'
import { WindowTables, type WindowCall, type WindowTableOptions } from './window-table.ts'

/** Rows times functions of a table, all of which are made for the first of its rows; with more a SELECT goes row by row. */
const maxTableCells = 1_000_000
/** A value and whether there is one, and the time of a row. */
const cellBytes = 9
const timeBytes = 8

/**
 * SELECTs of nothing but functions over windows that the reader works out, which dashboards ask: no point and no row is
 * made for itself. The answer is that of `openRows`, which takes every SELECT.
 */

export interface WindowPlan {
  readonly source: BoundMeasurement
  readonly schema: MeasurementSchema
  readonly aggregate: NonNullable<Reader['aggregate']>
  readonly measures: readonly Measure[]
  readonly form: WindowTableOptions
}

/** @returns null for a SELECT that more has to be done for */
export function planWindows(
  environment: Environment,
  select: ResolvedSelect,
  options: RunOptions,
  exprs: readonly Expr[],
  table: SymbolTable,
): WindowPlan | null {
  const [source] = select.sources
  const { fill, interval, ascending } = options
  if (select.sources.length !== 1 || source?.kind !== 'measurement' || source.byRegex) return null
  const [schema] = source.schemas
  const { reader } = environment
  if (schema === undefined || source.schemas.length > 1 || !reader.aggregate) return null
  if (table.calls.length === 0 || table.refs.length > 0) return null
  if (options.dimensions.length !== options.groupBy.length) return null
  const columns = exprs.map((expr) =>
    expr.kind === 'ref' ? table.calls.findIndex(({ symbol }) => symbol.name === expr.name) : -1,
  )
  const calls = callsOf(schema, table, options)
  const bounds = boundsOf(environment, source, schema, options)
  if (columns.includes(-1) || calls === null || bounds === null) return null
  // Limits count the windows of each function for itself, and without a start each has its own first one.
  const isLimited = options.limit > 0 || options.offset > 0
  const differs = fill.kind === 'none' ? isLimited : bounds.ownStart
  if (calls.length > 1 && differs) return null
  if (windowCount({ ...bounds, durationNs: interval.durationNs }) * calls.length > maxTableCells) return null
  if (!environment.tagSets(source.databaseId, schema, options).every((set) => isPlain(set, options)))
    return null
  const measures = measuresOf(calls)
  const names = measures.map(({ field }) => field)
  const form = {
    calls: calls.map(({ field, ...call }): WindowCall => ({ ...call, field: names.indexOf(field) })),
    columns,
    ...bounds,
    durationNs: interval.durationNs,
    fill,
    ascending,
    limit: options.limit,
    offset: options.offset,
  }
  return { source, schema, aggregate: reader.aggregate.bind(reader), measures, form }
}

export async function* readWindows(
  environment: Environment,
  { source, schema, aggregate, measures, form }: WindowPlan,
  options: RunOptions,
  maxRows: number,
): GroupTables {
  const { databaseId, retentionPolicy } = source
  const sets = environment.tagSets(databaseId, schema, options)
  const setOf = new Map(sets.flatMap((set) => set.series.map(({ series }) => [series.id, set])))
  if (setOf.size === 0) return
  const tableBytes = windowCount(form) * (timeBytes + cellBytes * form.calls.length)
  environment.hold(tableBytes)
  const tables = new WindowTables(form)
  const { minTimeNs: fromNs, maxTimeNs: untilNs } = rangeOf(options)
  const feed = aggregate({
    databaseId,
    retentionPolicy,
    measurement: schema.name,
    seriesIds: [...setOf.keys()],
    // What is older has come since, and would have windows before the first.
    minTimeNs: fromNs > form.firstNs ? fromNs : form.firstNs,
    maxTimeNs: untilNs,
    windowing: options.interval,
    measures,
    countPoints: (count) => environment.countPoints(count),
    signal: environment.signal,
  })
  for await (const { set, group } of groupsOf(feed, setOf, environment)) {
    const table = await inTurns(tables.of(group), environment)
    if (table === null) continue
    for (let from = 0; from < table.length; from += maxRows)
      yield { name: schema.name, tags: set.tags, table: table.slice(from, from + maxRows) }
  }
  environment.release(tableBytes)
}

const windowCount = ({
  firstNs,
  lastNs,
  durationNs,
}: Pick<WindowTableOptions, 'firstNs' | 'lastNs' | 'durationNs'>): number =>
  Number((lastNs - firstNs) / durationNs) + 1

async function inTurns<T>(work: Generator<undefined, T>, environment: Environment): Promise<T> {
  for (;;) {
    const step = work.next()
    if (step.done) return step.value
    await environment.giveTurn()
  }
}

interface WindowsOfSet {
  readonly set: TagSet
  readonly group: readonly SeriesWindows[]
}

/** The series of a set come one after another. */
async function* groupsOf(
  feed: AsyncIterable<SeriesWindows>,
  setOf: ReadonlyMap<number, TagSet>,
  environment: Environment,
): AsyncGenerator<WindowsOfSet, void, undefined> {
  let set: TagSet | null = null
  let group: SeriesWindows[] = []
  let bytes = 0
  for await (const windows of feed) {
    const next = setOf.get(windows.seriesId)!
    if (set !== null && set !== next) {
      yield { set, group }
      environment.release(bytes)
      group = []
      bytes = 0
    }
    set = next
    group.push(windows)
    bytes += windowsBytes(windows)
    environment.hold(windowsBytes(windows))
    await environment.giveTurn()
  }
  if (set !== null) yield { set, group }
  environment.release(bytes)
}

interface PlannedCall extends Omit<WindowCall, 'field'> {
  readonly field: string
}

const isWindowFunction = (name: string): name is WindowFunctionName => Object.hasOwn(statistics, name)

/** @returns null where a function takes other values than stored ones, or none of their type */
function callsOf(
  schema: MeasurementSchema,
  { calls }: SymbolTable,
  { fill, ascending }: RunOptions,
): readonly PlannedCall[] | null {
  const planned: PlannedCall[] = []
  for (const { call, symbol } of calls) {
    const one = plannedCall(schema, call)
    if (one === null || one.type !== symbol.type) return null
    const isNumber = one.type !== 'string' && one.type !== 'boolean'
    if (fill.kind === 'number' && !isNumber) return null
    // Backwards, floats are added up in another order.
    if (!ascending && one.stored === 'float' && statistics[one.name] === 'sum') return null
    planned.push(one)
  }
  return planned
}

function plannedCall(schema: MeasurementSchema, { name, args }: Call): PlannedCall | null {
  const [ref] = args
  if (ref?.kind !== 'ref' || ref.type === 'tag' || !isWindowFunction(name)) return null
  const stored = schema.fields.get(ref.name)
  if (stored === undefined || !(ref.type === stored || ref.type === 'unknown' || ref.type === 'field'))
    return null
  if (!takes(name, stored)) return null
  const type = name === 'count' ? 'integer' : name === 'mean' ? 'float' : stored
  return { name, field: ref.name, stored, type }
}

function takes(name: WindowFunctionName, stored: FieldType): boolean {
  if (name === 'count' || name === 'first' || name === 'last') return true
  if (stored === 'string') return false
  return stored !== 'boolean' || name === 'min' || name === 'max'
}

function measuresOf(calls: readonly PlannedCall[]): readonly Measure[] {
  const wanted = new Map<string, Set<Statistic>>()
  for (const { name, field } of calls) {
    const known = wanted.get(field) ?? new Set<Statistic>()
    wanted.set(field, known)
    const statistic = statistics[name]
    if (statistic) known.add(statistic)
  }
  return [...wanted].map(([field, known]) => ({ field, statistics: [...known] }))
}

/** The first window and the last; null where there may be many, or some that do not end where others do. */
function boundsOf(
  { reader, maxBuckets }: Environment,
  { databaseId, retentionPolicy }: BoundMeasurement,
  { name }: MeasurementSchema,
  options: RunOptions,
): Pick<WindowTableOptions, 'firstNs' | 'lastNs' | 'ownStart'> | null {
  const { startNs, endNs, interval, zone } = options
  const { durationNs } = interval
  if (durationNs === 0n || zone !== null) return null
  const isOpen = startNs === minTimeNs
  const fromNs = isOpen
    ? (reader.timeRange?.(databaseId, retentionPolicy, name)?.minTimeNs ?? minTimeNs)
    : startNs
  const edgeNs = 2n * durationNs
  if (fromNs - edgeNs < minTimeNs || endNs + edgeNs > maxTimeNs) return null
  const firstNs = windowOf(options, fromNs).startNs
  const lastNs = windowOf(options, endNs).startNs
  const count = (lastNs - firstNs) / durationNs + 1n
  if (count < 1n || count > Math.min(maxWindowsOfSeries, maxBuckets)) return null
  return { firstNs, lastNs, ownStart: isOpen }
}

/** All points count, and are of one series of the answer: tags with bars in their values may share a set with others. */
function isPlain({ tags, series }: TagSet, { dimensions }: RunOptions): boolean {
  return series.every(
    ({ series: one, filter }) =>
      filter === null &&
      (series.length === 1 || dimensions.every((key) => (one.tags.get(key) ?? '') === tags.values.get(key))),
  )
}
