import type { FieldType } from '../../storage-node/engine/reader.ts'
import { policies, type DatabaseRules } from './rules.ts'

/**
 * What must be there: a few maps, and the rules of InfluxDB for what a write may do. Values are texts as in line protocol,
 * a series is its tags as `key=value,…`, sorted.
 */
export interface Point {
  readonly measurement: string
  readonly series: string
  readonly fields: readonly (readonly [name: string, text: string])[]
  readonly timeNs: bigint
}

export interface Place {
  readonly databaseId: string
  readonly retentionPolicy: string
  readonly measurement: string
}

interface Cell {
  text: string
  /** Retention has passed it by at some moment: it may be gone, or an older value may have come back. */
  mayBeGone: boolean
  readonly ever: Set<string>
}

interface StoredPoint {
  readonly series: string
  readonly timeNs: bigint
  readonly cells: Map<string, Cell>
}

/** What is deleted: all that is in all of these; null is all. */
export interface Deletion {
  readonly databaseId: string
  readonly retentionPolicy: string | null
  readonly measurement: string | null
  /** Numbers of series. */
  readonly series: ReadonlySet<number> | null
  /** Inclusive; null is all time. */
  readonly timesNs: readonly [min: bigint, max: bigint] | null
}

/** Points by `<series> <time>`. */
export type Expected = ReadonlyMap<string, ReadonlyMap<string, Readonly<Cell>>>

export class DatabaseModel {
  /** By measurement. */
  readonly fields = new Map<string, Map<string, FieldType>>()
  /** By measurement; a series that comes again after it was dropped has another number. */
  readonly series = new Map<string, Map<string, number>>()
  /** By `<policy> <measurement>`, then by `<series> <time>`. */
  readonly points = new Map<string, Map<string, StoredPoint>>()

  get seriesCount(): number {
    return [...this.series.values()].reduce((sum, { size }) => sum + size, 0)
  }
}

export function typeOf(text: string): FieldType {
  if (text.startsWith('"')) return 'string'
  if (text === 'true' || text === 'false') return 'boolean'
  if (text.endsWith('i')) return 'integer'
  return text.endsWith('u') ? 'unsigned' : 'float'
}

export const pointKey = (series: string, timeNs: bigint): string => `${series} ${timeNs}`

export class Model {
  readonly #rules: ReadonlyMap<string, DatabaseRules>
  readonly #databases = new Map<string, DatabaseModel>()
  #seriesNumber = 0

  constructor(rules: readonly DatabaseRules[]) {
    this.#rules = new Map(rules.map((each) => [each.id, each]))
  }

  database(id: string): DatabaseModel | undefined {
    return this.#databases.get(id)
  }

  /** @returns how many points are stored */
  write(databaseId: string, retentionPolicy: string, points: readonly Point[], nowNs: bigint): number {
    const database = this.#databases.get(databaseId) ?? new DatabaseModel()
    this.#databases.set(databaseId, database)
    const oldestNs = oldest(retentionPolicy, nowNs)
    // The points of one measurement are decided on before those of the next.
    const measurements = [...new Set(points.map(({ measurement }) => measurement))]
    return measurements
      .flatMap((name) => points.filter(({ measurement }) => measurement === name))
      .filter((point) => point.timeNs >= oldestNs && this.#admit(databaseId, database, point))
      .map((point) => store(database, retentionPolicy, point)).length
  }

  deleteDatabase(databaseId: string): void {
    this.#databases.delete(databaseId)
  }

  /** What is deleted of all time and all policies takes its series along; a measurement without series has no fields. */
  deletePoints(deletion: Deletion): void {
    const database = this.#databases.get(deletion.databaseId)
    if (!database) return
    for (const [points, key] of matching(database, deletion)) points.delete(key)
    if (deletion.retentionPolicy !== null || deletion.timesNs !== null) return
    for (const [measurement, series] of database.series) {
      if (deletion.measurement !== null && deletion.measurement !== measurement) continue
      for (const [name, number] of series) if (deletion.series?.has(number) ?? true) series.delete(name)
      if (series.size === 0) database.fields.delete(measurement)
    }
  }

  holds(deletion: Deletion): boolean {
    const database = this.#databases.get(deletion.databaseId)
    return database !== undefined && matching(database, deletion).length > 0
  }

  /** Time has come so far: what has expired by now may be dropped at any moment. */
  noteTime(nowNs: bigint): void {
    for (const { points } of this.#databases.values()) {
      for (const [place, stored] of points) {
        const oldestNs = oldest(place.split(' ')[0]!, nowNs)
        for (const { timeNs, cells } of stored.values())
          if (timeNs < oldestNs) for (const cell of cells.values()) cell.mayBeGone = true
      }
    }
  }

  /** What a read has to give that begins now. */
  expected(place: Place, nowNs: bigint): Expected {
    const { databaseId, retentionPolicy, measurement } = place
    const oldestNs = oldest(retentionPolicy, nowNs)
    const stored = this.#databases.get(databaseId)?.points.get(`${retentionPolicy} ${measurement}`)
    const visible = [...(stored ?? [])].filter(([, { timeNs }]) => timeNs >= oldestNs)
    return new Map(
      visible.map(([key, { cells }]) => [
        key,
        new Map([...cells].map(([field, cell]) => [field, { ...cell }])),
      ]),
    )
  }

  /** Adds the point's series and fields, unless a rule speaks against it. */
  #admit(databaseId: string, database: DatabaseModel, { measurement, series, fields }: Point): boolean {
    const rules = this.#rules.get(databaseId)!
    const knownSeries = database.series.get(measurement) ?? new Map<string, number>()
    const knownFields = database.fields.get(measurement) ?? new Map<string, FieldType>()
    const isFull = rules.maxSeries !== null && database.seriesCount >= rules.maxSeries
    if (!knownSeries.has(series) && isFull) return false
    if (fields.some(([name, text]) => (knownFields.get(name) ?? typeOf(text)) !== typeOf(text))) return false
    const added = fields.filter(([name]) => !knownFields.has(name))
    if (added.length > 0 && knownFields.size + added.length > rules.maxFields) return false
    database.series.set(measurement, knownSeries)
    if (!knownSeries.has(series)) knownSeries.set(series, ++this.#seriesNumber)
    database.fields.set(measurement, knownFields)
    for (const [name, text] of added) knownFields.set(name, typeOf(text))
    return true
  }
}

function oldest(retentionPolicy: string, nowNs: bigint): bigint {
  const { durationNs } = policies.find(({ name }) => name === retentionPolicy)!
  return durationNs === 0n ? -(2n ** 63n) : nowNs - durationNs
}

type Found = readonly [points: Map<string, StoredPoint>, key: string]

function matching(database: DatabaseModel, deletion: Deletion): readonly Found[] {
  const { retentionPolicy, measurement, series, timesNs } = deletion
  const found: Found[] = []
  for (const [place, points] of database.points) {
    const [policy, name] = place.split(' ') as [string, string]
    if ((retentionPolicy ?? policy) !== policy || (measurement ?? name) !== name) continue
    for (const [key, point] of points) {
      const number = database.series.get(name)!.get(point.series)!
      const isInTime = !timesNs || (point.timeNs >= timesNs[0] && point.timeNs <= timesNs[1])
      if (isInTime && (series?.has(number) ?? true)) found.push([points, key])
    }
  }
  return found
}

function store(database: DatabaseModel, retentionPolicy: string, point: Point): void {
  const { measurement, series, timeNs, fields } = point
  const place = `${retentionPolicy} ${measurement}`
  const points = database.points.get(place) ?? new Map<string, StoredPoint>()
  database.points.set(place, points)
  const key = pointKey(series, timeNs)
  const stored = points.get(key) ?? { series, timeNs, cells: new Map<string, Cell>() }
  points.set(key, stored)
  for (const [name, text] of fields) {
    const ever = stored.cells.get(name)?.ever ?? new Set()
    stored.cells.set(name, { text, mayBeGone: false, ever: ever.add(text) })
  }
}

/** @returns what is wrong with what a read gave; null if nothing is */
export function faultOf(
  expected: Expected,
  given: ReadonlyMap<string, ReadonlyMap<string, string>>,
): string | null {
  for (const [key, cells] of given) {
    for (const [field, text] of cells) {
      const cell = expected.get(key)?.get(field)
      if (!cell) return `${key} has ${field}=${text}, which is not to be there`
      if (text !== cell.text && !(cell.mayBeGone && cell.ever.has(text)))
        return `${key} has ${field}=${text} in place of ${cell.text}`
    }
  }
  for (const [key, cells] of expected)
    for (const [field, cell] of cells)
      if (!cell.mayBeGone && !given.get(key)?.has(field)) return `${key} has lost ${field}=${cell.text}`
  return null
}
