import { assert } from '../../common/errors.ts'
import { namesOfKey, tagsOfKey } from '../line-protocol/series-key.ts'
import type { FieldType, MeasurementSchema, Series } from './reader.ts'

export interface FieldEntry {
  readonly name: string
  readonly type: FieldType
  /** In the order in which fields first came: its name in files is `f<number>`. */
  readonly number: number
  /** In the database's list of fields. */
  readonly place: number
}

export interface MeasurementEntry {
  readonly name: string
  readonly fields: ReadonlyMap<string, FieldEntry>
  /** In the order in which they came. */
  readonly seriesIds: readonly number[]
}

interface Entry extends MeasurementEntry {
  readonly fields: Map<string, FieldEntry>
  seriesIds: number[]
  /** How many series have each tag. */
  readonly tagKeys: Map<string, number>
  /** Dropped ones included: a number is never used twice. */
  fieldCount: number
  /** What was last made of the series' keys, while it is in memory; null when series have gone. */
  series: WeakRef<readonly Series[]> | null
}

type ListedField = readonly [measurement: string, field: string, type: FieldType]

/** What stands in the place of a dropped series' key and of a dropped field's name: no key or name is empty. */
const dropped = ''

/** Of more series than this nothing is remembered, and no more than one made at a time: all of a million take more memory than a pod has. */
const maxRememberedSeries = 10_000

/**
 * The series and fields of one database. Places in both lists are only ever added, so the first n of them are what was
 * there at an earlier time; what is dropped leaves its place empty. A series that comes again is a new one.
 */
export class Catalog {
  readonly #idOfKey = new Map<string, number>()
  readonly #keys: string[] = []
  readonly #measurements = new Map<string, Entry>()
  readonly #fields: ListedField[] = []
  /** Series ids, and below places of fields, with the log position that dropped them, until `settle`. */
  readonly #droppedSeries = new Map<number, number>()
  readonly #droppedFields = new Map<number, number>()

  /** Places of series, the empty ones included. */
  get seriesCount(): number {
    return this.#keys.length
  }

  /** Places of fields, the empty ones included. */
  get fieldCount(): number {
    return this.#fields.length
  }

  get liveSeriesCount(): number {
    return this.#idOfKey.size
  }

  /**
   * @param position of the log: what was dropped after it is still there
   * @returns the ids' keys, `seriesKey` form or empty, from one id up to another
   */
  seriesKeys(from: number, end: number, position: number): readonly string[] {
    return this.#keys
      .slice(from, end)
      .map((key, index) => (isBy(this.#droppedSeries.get(from + index), position) ? dropped : key))
  }

  /** The same for fields, in the order in which they came; the names of dropped ones are empty. */
  fieldList(from: number, end: number, position: number): readonly ListedField[] {
    return this.#fields
      .slice(from, end)
      .map((field, index) => (isBy(this.#droppedFields.get(from + index), position) ? empty(field) : field))
  }

  /** Has something in these places been dropped up to a position, and not been settled? */
  hasDropped(
    series: readonly [from: number, end: number],
    fields: readonly [from: number, end: number],
    position: number,
  ): boolean {
    const isIn = (places: ReadonlyMap<number, number>, [from, end]: readonly [number, number]) => {
      for (const [place, by] of places) if (place >= from && place < end && by <= position) return true
      return false
    }
    return isIn(this.#droppedSeries, series) || isIn(this.#droppedFields, fields)
  }

  /**
   * Forgets series; a measurement without series is forgotten with its fields.
   * @param measurement null for all
   * @param position of the log
   */
  dropSeries(measurement: string | null, isDropped: (id: number) => boolean, position: number): void {
    const entries = measurement === null ? this.#measurements.values() : [this.#measurements.get(measurement)]
    for (const entry of entries) {
      const gone: number[] = []
      const kept: number[] = []
      for (const id of entry?.seriesIds ?? []) (isDropped(id) ? gone : kept).push(id)
      if (!entry || gone.length === 0) continue
      for (const id of gone) {
        this.#idOfKey.delete(this.#keys[id]!)
        this.#droppedSeries.set(id, position)
      }
      entry.seriesIds = kept
      entry.series = null
      this.#recountTags(entry, gone)
      if (kept.length > 0) continue
      for (const { place } of entry.fields.values()) this.#droppedFields.set(place, position)
      entry.fields.clear()
    }
  }

  /** Looks at what has gone or at what is left, whichever is less. */
  #recountTags({ tagKeys, seriesIds }: Entry, gone: readonly number[]): void {
    const [ids, step] = gone.length < seriesIds.length ? [gone, -1 as const] : [seriesIds, 1 as const]
    if (ids === seriesIds) tagKeys.clear()
    for (const id of ids) countTags(tagKeys, namesOfKey(this.#keys[id]!), step)
  }

  /** Lets go of what was dropped up to a position: no dictionary names it any more. */
  settle(position: number): void {
    for (const [id, by] of this.#droppedSeries) {
      if (by > position) continue
      this.#keys[id] = dropped
      this.#droppedSeries.delete(id)
    }
    for (const [place, by] of this.#droppedFields) {
      if (by > position) continue
      this.#fields[place] = empty(this.#fields[place]!)
      this.#droppedFields.delete(place)
    }
  }

  seriesId(key: string): number | undefined {
    return this.#idOfKey.get(key)
  }

  /** @param key empty for one that was dropped */
  addSeries(key: string): number {
    const id = this.#keys.push(key) - 1
    if (key === dropped) return id
    const knownCount = this.#idOfKey.size
    this.#idOfKey.set(key, id)
    assert(this.#idOfKey.size > knownCount, 'a series is added once')
    const names = namesOfKey(key)
    const entry = this.#measurementOrNew(names[0]!)
    entry.seriesIds.push(id)
    countTags(entry.tagKeys, names, 1)
    return id
  }

  /** @param name empty for one that was dropped */
  addField(measurement: string, name: string, type: FieldType): FieldEntry {
    const entry = this.#measurementOrNew(measurement)
    assert(!entry.fields.has(name), 'a field is added once')
    const place = this.#fields.push([measurement, name, type]) - 1
    const field = { name, type, number: entry.fieldCount++, place }
    if (name !== dropped) entry.fields.set(name, field)
    return field
  }

  /** Those that were dropped included: their names are still known. */
  get measurementCount(): number {
    return this.#measurements.size
  }

  measurement(name: string): MeasurementEntry | undefined {
    return this.#measurements.get(name)
  }

  schema(name: string): MeasurementSchema | null {
    const entry = this.#measurements.get(name)
    if (!entry || entry.seriesIds.length === 0) return null
    return {
      name,
      tagKeys: [...entry.tagKeys.keys()].sort(),
      fields: new Map([...entry.fields.values()].map((field) => [field.name, field.type])),
    }
  }

  /** Taking keys apart costs more than the rest of a small query, so it is done again only after a collection. */
  series(measurement: string): Iterable<Series> {
    const entry = this.#measurements.get(measurement)
    if (!entry) return []
    const ids = entry.seriesIds
    const known = entry.series?.deref()
    if (known?.length === ids.length) return known
    const made = this.#seriesOf(measurement, ids)
    if (ids.length > maxRememberedSeries) return made
    const series = [...made]
    entry.series = new WeakRef(series)
    return series
  }

  /** Whoever asks may take turns: series that come meanwhile are not among them, and of those that go some are. */
  *#seriesOf(measurement: string, ids: readonly number[]): Generator<Series> {
    const { length } = ids
    for (let index = 0; index < length; index++) {
      const id = ids[index]!
      const key = this.#keys[id]!
      if (key !== dropped) yield { id, measurement, tags: new Map(tagsOfKey(key)) }
    }
  }

  /** Ids, ascending: of a measurement, or of all. */
  liveSeries(measurement: string | null): readonly number[] {
    if (measurement !== null) return this.#measurements.get(measurement)?.seriesIds ?? []
    return [...this.#idOfKey.values()].sort((a, b) => a - b)
  }

  #measurementOrNew(name: string): Entry {
    let entry = this.#measurements.get(name)
    if (!entry) {
      entry = { name, fields: new Map(), tagKeys: new Map(), seriesIds: [], fieldCount: 0, series: null }
      this.#measurements.set(name, entry)
    }
    return entry
  }
}

const isBy = (position: number | undefined, limit: number): boolean =>
  position !== undefined && position <= limit

const empty = ([measurement, , type]: ListedField): ListedField => [measurement, dropped, type]

/** @param names as of `namesOfKey` */
function countTags(counts: Map<string, number>, names: readonly string[], step: 1 | -1): void {
  for (let index = 1; index < names.length; index += 2) {
    const count = (counts.get(names[index]!) ?? 0) + step
    if (count > 0) counts.set(names[index]!, count)
    else counts.delete(names[index]!)
  }
}
