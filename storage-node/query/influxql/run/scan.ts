import type { Block, Column, FieldType, MeasurementSchema } from '../../../engine/reader.ts'
import type { DataType, Expr, VarRef } from '../ast.ts'
import { holds } from '../evaluate.ts'
import { castTo, Unsigned, type Scalar } from '../scalar.ts'
import { refsOf } from '../walk.ts'
import { Tags, type Point } from './point.ts'
import type { ReadSeries } from './tag-sets.ts'

/** Where a reference finds its value: in a column of the blocks read, or it is the same for all of a series. */
export type Access = { readonly column: number; readonly cast: DataType | null } | { readonly value: Scalar }

const numeric = new Set<DataType>(['float', 'integer', 'unsigned'])

/** The type that reading a field as `ref` gives, or null when that cannot be. */
export function typeOfField(schema: MeasurementSchema, ref: VarRef): FieldType | null {
  const type = schema.fields.get(ref.name)
  if (type === undefined) return null
  if (ref.type === 'unknown' || ref.type === 'field' || ref.type === type) return type
  return numeric.has(ref.type) && numeric.has(type) ? (ref.type as FieldType) : null
}

/** The fields that a query reads of a measurement, each once. */
export class FieldList {
  readonly names: string[] = []
  readonly #schema: MeasurementSchema

  constructor(schema: MeasurementSchema) {
    this.#schema = schema
  }

  /** The field that a reference means, or null when there is none of the type. */
  field(ref: VarRef): Access | null {
    const type = ref.type === 'tag' ? null : typeOfField(this.#schema, ref)
    if (type === null) return null
    let column = this.names.indexOf(ref.name)
    if (column < 0) column = this.names.push(ref.name) - 1
    return { column, cast: type === this.#schema.fields.get(ref.name) ? null : type }
  }

  /** A reference that is not the field read: a field, else a tag of the series. A tag that is not there has no value. */
  any(ref: VarRef, series: ReadSeries): Access {
    const field = this.field(ref)
    if (field !== null) return field
    if (ref.type !== 'tag' && ref.type !== 'unknown') return { value: undefined }
    return { value: series.series.tags.get(ref.name) ?? undefined }
  }
}

/** How the points of one series are made of blocks. */
export interface SeriesPlan {
  readonly name: string
  readonly tags: Tags
  /** The field whose points these are; null for points of any field that comes along. */
  readonly main: Access | null
  readonly aux: readonly Access[]
  readonly filter: Expr | null
  readonly conditions: ReadonlyMap<string, Access>
}

export function planSeries(
  series: ReadSeries,
  fields: FieldList,
  main: Access | null,
  aux: readonly VarRef[],
  groupBy: readonly string[],
): SeriesPlan {
  return {
    name: series.series.measurement,
    tags: Tags.of(series.series.tags, groupBy),
    main,
    aux: aux.map((ref) => fields.any(ref, series)),
    filter: series.filter,
    conditions: new Map(refsOf(series.filter).map((ref) => [ref.name, fields.any(ref, series)])),
  }
}

/** The points of a block that pass the series' filter, in the direction asked for, between two places in it. */
export function pointsOf(
  block: Block,
  plan: SeriesPlan,
  ascending: boolean,
  from: number,
  to: number,
): Point[] {
  const { times, columns } = block
  const points: Point[] = []
  let row = 0
  const read = (access: Access): Scalar =>
    'value' in access ? access.value : valueAt(columns[access.column], row, access.cast)
  const lookup = (name: string): Scalar => {
    const access = plan.conditions.get(name)
    return access === undefined ? null : read(access)
  }
  const length = times.length
  for (let i = from; i < to; i++) {
    row = ascending ? i : length - 1 - i
    const value = plan.main === null ? null : read(plan.main)
    if (plan.main === null ? !hasField(plan.aux, columns, row) : value === undefined) continue
    if (plan.filter !== null && !holds(plan.filter, lookup, inWhere)) continue
    points.push({
      name: plan.name,
      tags: plan.tags,
      timeNs: times[row]!,
      value,
      aux: plan.aux.map(read),
      aggregated: 0,
    })
  }
  return points
}

/** Whether a point passes its series' condition. */
export function passes({ columns }: Block, { filter, conditions }: SeriesPlan, row: number): boolean {
  const lookup = (name: string): Scalar => {
    const access = conditions.get(name)
    if (access === undefined) return null
    return 'value' in access ? access.value : valueAt(columns[access.column], row, access.cast)
  }
  return filter === null || holds(filter, lookup, inWhere)
}

export const inWhere = { floatDivision: false, math: true } as const

/** Whether the point has a field among those that come along. */
export function hasField(aux: readonly Access[], columns: Block['columns'], row: number): boolean {
  return aux.some((access) => 'column' in access && isPresent(columns[access.column], row))
}

function isPresent(column: Column | null | undefined, row: number): boolean {
  return column !== null && column !== undefined && (column.present === null || column.present[row] === 1)
}

function valueAt(column: Column | null | undefined, row: number, cast: DataType | null): Scalar {
  if (!isPresent(column, row)) return undefined
  const value = plainValueAt(column!, row)
  return cast === null ? value : castTo(value, cast)
}

function plainValueAt(column: Column, row: number): Scalar {
  switch (column.type) {
    case 'unsigned':
      return new Unsigned(column.values[row]!)
    case 'boolean':
      return column.values[row] === 1
    default:
      return column.values[row]
  }
}
