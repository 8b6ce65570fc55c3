import type { Clock } from '../../common/clock.ts'
import type { FieldWindows, SeriesWindows } from '../aggregation/series-windows.ts'
import { zonesWithin } from '../buffer/time-zones.ts'
import type { FileStore } from '../files/file-store.ts'
import type { QueryProcess } from '../query-process/client.ts'
import { cutoffNs, type Attachments } from './attachments.ts'
import { readBlocks, type ReadSource } from './read.ts'
import { filesFor, type ReadBounds } from './read-plan.ts'
import { readWindows } from './read-windows.ts'
import type { AggregateRequest, Block, Column, ReadRequest, TimeRange } from './reader.ts'
import type { StoredDatabase } from './stored-database.ts'

/** What reads see of an engine. */
export interface Readable {
  readonly attachments: Attachments
  readonly database: (id: string) => StoredDatabase | undefined
  readonly store: FileStore
  readonly queryProcess: QueryProcess
  readonly clock: Clock
}

interface OpenRead {
  readonly source: ReadSource
  readonly bounds: ReadBounds
  /** For each field of the request its place among the source's fields; -1 for one that is not known. */
  readonly places: readonly number[]
  readonly release: () => Promise<void>
}

/** Points as the engine's `read` gives them. */
export async function* readPoints(readable: Readable, request: ReadRequest): AsyncGenerator<Block> {
  const read = open(readable, request)
  if (!read) return
  try {
    for await (const block of readBlocks(read.source, read.bounds))
      yield { ...block, columns: read.places.map((place): Column | null => block.columns[place] ?? null) }
  } finally {
    await read.release()
  }
}

/** Windows of points as the engine's `aggregate` gives them. */
export async function* aggregatePoints(
  readable: Readable,
  request: AggregateRequest,
): AsyncGenerator<SeriesWindows> {
  const read = open(readable, { ...request, fields: request.measures.map(({ field }) => field) })
  if (!read) return
  const { source, bounds, places, release } = read
  // Measures of fields that are not known have no windows, but their place in the answer.
  const known = places.flatMap((place, index) => (place < 0 ? [] : [request.measures[index]!]))
  const aggregation = {
    windowing: request.windowing,
    measures: known,
    types: source.fields.map(({ type }) => type),
  }
  try {
    for await (const windows of readWindows(source, bounds, aggregation, (count) =>
      request.countPoints(count),
    ))
      yield { ...windows, fields: places.map((place) => windows.fields[place] ?? noWindows(windows)) }
  } finally {
    await release()
  }
}

const noWindows = ({ startsNs }: SeriesWindows): FieldWindows => ({
  counts: startsNs.map(() => 0),
  sums: null,
  min: null,
  max: null,
  first: null,
  last: null,
})

/** Times between which all points of a measurement lie. */
export function timeRangeOf(
  readable: Readable,
  databaseId: string,
  retentionPolicy: string,
  measurement: string,
): TimeRange | null {
  const tables = readable.database(databaseId)?.buffersOf(retentionPolicy, measurement) ?? []
  const place = { databaseId, retentionPolicy, measurement }
  const spans: readonly TimeRange[] = [
    ...filesFor(readable.store.files, place, minInt64, maxInt64),
    ...tables.flatMap((table) => zonesWithin(table, minInt64, maxInt64)),
  ]
  if (spans.length === 0) return null
  return {
    minTimeNs: spans.reduce((min, span) => (span.minTimeNs < min ? span.minTimeNs : min), maxInt64),
    maxTimeNs: spans.reduce((max, span) => (span.maxTimeNs > max ? span.maxTimeNs : max), minInt64),
  }
}

const minInt64 = -(2n ** 63n)
const maxInt64 = 2n ** 63n - 1n

/** @returns null when there is nothing to read. @throws AppError not-found */
function open(readable: Readable, request: ReadRequest): OpenRead | null {
  const { databaseId, measurement, maxTimeNs, signal } = request
  const { store, queryProcess } = readable
  const policy = readable.attachments.policy(databaseId, request.retentionPolicy)
  const database = readable.database(databaseId)
  const known = database?.catalog.measurement(measurement)?.fields
  if (!database || !known) return null
  const fields = [...new Set(request.fields)]
    .map((name) => known.get(name))
    .filter((field) => field !== undefined)
  const seriesIds = [...new Set(request.seriesIds)]
  const oldestNs = cutoffNs(policy, readable.clock.nowNs())
  const minTimeNs = oldestNs !== null && oldestNs > request.minTimeNs ? oldestNs : request.minTimeNs
  if (fields.length === 0 || seriesIds.length === 0 || minTimeNs > maxTimeNs) return null
  const places = new Map(fields.map(({ name }, index) => [name, index]))
  const matching = (request.matching ?? []).map(({ field, operator, value }) => ({
    column: places.get(field) ?? -1,
    operator,
    value,
  }))
  const place = { databaseId, retentionPolicy: policy.name, measurement }
  const tables = database.buffersOf(policy.name, measurement)
  const { tombstones } = store
  const files = filesFor(store.files, place, minTimeNs, maxTimeNs)
  return {
    source: { store, queryProcess, files, tombstones, tables, fields, signal },
    bounds: { seriesIds, minTimeNs, maxTimeNs, matching },
    places: request.fields.map((name) => places.get(name) ?? -1),
    release: store.pin(files),
  }
}
