import { assert } from '../../common/errors.ts'
import type { FieldType, MeasurementSchema, Series } from './reader.ts'

export interface FieldEntry {
  readonly name: string
  readonly type: FieldType
  /** In the order in which fields first came: its name in files is `f<number>`. */
  readonly number: number
}

export interface MeasurementEntry {
  readonly name: string
  readonly fields: Map<string, FieldEntry>
  readonly tagKeys: Set<string>
  readonly seriesIds: number[]
}

type Tags = readonly (readonly [key: string, value: string])[]

/** What identifies a series: measurement and sorted tags, as JSON, so that no name can run into the next. */
export function seriesKey(measurement: string, tags: Tags): string {
  return JSON.stringify([measurement, ...tags.flat()])
}

/**
 * The series and fields of one database. Both are only ever added to, so the first n of them are what was there at an
 * earlier time.
 */
export class Catalog {
  readonly #idOfKey = new Map<string, number>()
  readonly #keys: string[] = []
  readonly #measurements = new Map<string, MeasurementEntry>()
  readonly #fields: (readonly [measurement: string, field: string, type: FieldType])[] = []

  get seriesCount(): number {
    return this.#keys.length
  }

  get fieldCount(): number {
    return this.#fields.length
  }

  /** @returns the ids' keys, `seriesKey` form, from one id up to another */
  seriesKeys(from: number, end: number): readonly string[] {
    return this.#keys.slice(from, end)
  }

  /** In the order in which they came. */
  fieldList(
    from: number,
    end: number,
  ): readonly (readonly [measurement: string, field: string, type: FieldType])[] {
    return this.#fields.slice(from, end)
  }

  seriesId(key: string): number | undefined {
    return this.#idOfKey.get(key)
  }

  addSeries(key: string): number {
    assert(!this.#idOfKey.has(key), 'a series is added once')
    const id = this.#keys.push(key) - 1
    this.#idOfKey.set(key, id)
    const [measurement, ...tags] = JSON.parse(key) as string[]
    const entry = this.#measurementOrNew(measurement!)
    entry.seriesIds.push(id)
    for (let index = 0; index < tags.length; index += 2) entry.tagKeys.add(tags[index]!)
    return id
  }

  addField(measurement: string, name: string, type: FieldType): FieldEntry {
    const entry = this.#measurementOrNew(measurement)
    assert(!entry.fields.has(name), 'a field is added once')
    const field = { name, type, number: entry.fields.size }
    entry.fields.set(name, field)
    this.#fields.push([measurement, name, type])
    return field
  }

  measurement(name: string): MeasurementEntry | undefined {
    return this.#measurements.get(name)
  }

  schema(name: string): MeasurementSchema | null {
    const entry = this.#measurements.get(name)
    if (!entry) return null
    return {
      name,
      tagKeys: [...entry.tagKeys].sort(),
      fields: new Map([...entry.fields.values()].map((field) => [field.name, field.type])),
    }
  }

  series(measurement: string): Series[] {
    const ids = this.#measurements.get(measurement)?.seriesIds ?? []
    return ids.map((id) => {
      const [, ...flat] = JSON.parse(this.#keys[id]!) as string[]
      const tags = new Map<string, string>()
      for (let index = 0; index < flat.length; index += 2) tags.set(flat[index]!, flat[index + 1]!)
      return { id, measurement, tags }
    })
  }

  #measurementOrNew(name: string): MeasurementEntry {
    let entry = this.#measurements.get(name)
    if (!entry) {
      entry = { name, fields: new Map(), tagKeys: new Set(), seriesIds: [] }
      this.#measurements.set(name, entry)
    }
    return entry
  }
}
