import type { MeasurementSchema, Series } from '../../engine/reader.ts'
import type { BinaryExpr, Expr, VarRef } from './ast.ts'
import { reduce, reduceNothing } from './reduce.ts'

/** About what a series takes while a statement has it in hand, whatever its tags are. */
export const seriesBytes = 500

/** What a condition means for one series: none of its points, or those that pass what is left of it (null: all). */
export type SeriesFilter =
  | { readonly matches: false }
  | { readonly matches: true; readonly rest: Expr | null }

const comparisons = new Set<BinaryExpr['operator']>(['=', '!=', '<', '<=', '>', '>=', '=~', '!~'])
const none: SeriesFilter = { matches: false }
const all: SeriesFilter = { matches: true, rest: null }
const rest = (expr: Expr): SeriesFilter => ({ matches: true, rest: expr })

/** Decides what tags can decide. Missing tags are empty. */
export function filterSeries(expr: Expr | null, series: Series, schema: MeasurementSchema): SeriesFilter {
  if (expr === null) return all
  switch (expr.kind) {
    case 'binary':
      return filterBinary(expr, series, schema)
    case 'paren':
      return filterSeries(expr.inner, series, schema)
    case 'boolean':
      return expr.value ? all : none
    default:
      return none
  }
}

function filterBinary(expr: BinaryExpr, series: Series, schema: MeasurementSchema): SeriesFilter {
  const { operator } = expr
  if (operator === 'AND' || operator === 'OR') {
    const left = filterSeries(expr.left, series, schema)
    if (operator === 'AND' ? !left.matches : left.matches && left.rest === null) return left
    const right = filterSeries(expr.right, series, schema)
    return operator === 'AND' ? both(left, right) : either(left, right)
  }
  const filter = compareTag(expr, series, schema)
  // Arithmetic alone is no condition; it lets pass whatever its tags do.
  return filter.matches && !comparisons.has(operator) ? all : filter
}

function both(left: SeriesFilter, right: SeriesFilter): SeriesFilter {
  if (!left.matches || !right.matches) return none
  if (left.rest === null || right.rest === null) return { matches: true, rest: left.rest ?? right.rest }
  return rest(reduce({ kind: 'binary', operator: 'AND', left: left.rest, right: right.rest }, reduceNothing))
}

function either(left: SeriesFilter, right: SeriesFilter): SeriesFilter {
  if (!left.matches) return right
  if (!right.matches) return left
  if (left.rest === null || right.rest === null) return all
  return rest(reduce({ kind: 'binary', operator: 'OR', left: left.rest, right: right.rest }, reduceNothing))
}

function compareTag(expr: BinaryExpr, series: Series, schema: MeasurementSchema): SeriesFilter {
  if (expr.left.kind === 'binary' || expr.right.kind === 'binary') return rest(expr)
  const [ref, value] = expr.left.kind === 'ref' ? [expr.left, expr.right] : [expr.right, expr.left]
  if (ref.kind !== 'ref' || isField(ref, schema)) return rest(expr)
  if (value.kind === 'ref' && isField(value, schema)) return rest(expr)
  const text = ref.name === '_name' ? series.measurement : (series.tags.get(ref.name) ?? '')
  switch (value.kind) {
    case 'string':
      if (expr.operator === '=') return text === value.value ? all : none
      return expr.operator === '!=' && text !== value.value ? all : none
    case 'regex':
      return value.regex.matches(text) === (expr.operator === '=~') ? all : none
    case 'ref': {
      const other = series.tags.get(value.name) ?? ''
      const equal = text !== '' && text === other
      if (expr.operator === '=') return equal ? all : none
      return expr.operator === '!=' && !equal ? all : none
    }
    default:
      return rest(expr)
  }
}

/** Whether a condition means a field by a name, not a tag. */
export function isField(ref: VarRef, schema: MeasurementSchema): boolean {
  if (ref.name === '_name' || ref.type === 'tag') return false
  return ref.type === 'unknown' ? schema.fields.has(ref.name) : true
}
