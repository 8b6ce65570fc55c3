import { compareText, type Scalar } from '../scalar.ts'

/** Tags that group points, with a key that orders groups: names first, then values, in the order of the names. */
export class Tags {
  static readonly none = new Tags(new Map())
  readonly values: ReadonlyMap<string, string>
  readonly id: string

  /** @param values sorted by name */
  constructor(values: ReadonlyMap<string, string>) {
    this.values = values
    this.id = [...values.keys(), ...values.values()].join('\0')
  }

  /** Exactly the tags of `names`; those that are not there are empty. */
  static of(all: ReadonlyMap<string, string>, names: readonly string[]): Tags {
    if (names.length === 0) return Tags.none
    return new Tags(new Map([...names].sort(compareText).map((name) => [name, all.get(name) ?? ''])))
  }

  subset(names: readonly string[]): Tags {
    if (names.length === this.values.size && names.every((name) => this.values.has(name))) return this
    return Tags.of(this.values, names)
  }
}

/** A value in time, with values that come along from the same stored point. */
export interface Point {
  readonly name: string
  readonly tags: Tags
  readonly timeNs: bigint
  /** Null where a window has no value. */
  readonly value: Scalar
  readonly aux: readonly Scalar[]
  /** How many points it was made of; 0 or 1 for a stored one. */
  readonly aggregated: number
}

/** A point without a value: all that counts values passes over it. */
export const isNil = (point: Point): boolean => point.value === null || point.value === undefined

export const noAux: readonly Scalar[] = []

/** Whether two points belong to one output series. */
export const sameGroup = (a: Point, b: Point): boolean => a.name === b.name && a.tags.id === b.tags.id

export const compareGroups = (a: Point, b: Point): number =>
  compareText(a.name, b.name) || compareText(a.tags.id, b.tags.id)
