import { compareTypes } from '../data-type.ts'
import { columnFields, fieldName } from '../columns.ts'
import type { DataType, Expr, VarRef } from '../ast.ts'
import { holds } from '../evaluate.ts'
import type { ResolvedSelect, ResolvedSource } from '../resolve.ts'
import { castTo, compareText, isOfType, type Scalar } from '../scalar.ts'
import { refsOf } from '../walk.ts'
import { CallBuilder } from './calls.ts'
import { planColumns, readColumns } from './columns.ts'
import { readEnds } from './ends.ts'
import type { Environment } from './environment.ts'
import type { GroupTables } from './group-tables.ts'
import { mergeSorted } from './merge.ts'
import { carriedTags, optionsOf, optionsOfSubquery, type RunOptions } from './options.ts'
import type { Point } from './point.ts'
import { joinRows, type Row, type Rows, type Source } from './rows.ts'
import { limitPoints } from './shape.ts'
import { streamStored } from './storage.ts'
import type { Points, Stream } from './stream.ts'
import { SymbolTable, type Symbol } from './symbols.ts'
import { planWindows, readWindows } from './window-columns.ts'

const selectors = new Set(['first', 'last', 'min', 'max', 'percentile', 'sample', 'top', 'bottom'])

/** Runs a SELECT: its rows by series, each series by time. */
export function runSelect(environment: Environment, select: ResolvedSelect): Rows {
  return readEnds(environment, select, optionsOf(select), {
    open: (options) => openRows(environment, select, options),
    rowsIn: (rows) => rows.length,
    lacksValues: (rows) => rows.some(({ values }) => values.includes(null) || values.includes(undefined)),
  })
}

/** The same column by column, for a SELECT that allows it; otherwise null. @param maxRows of a table */
export function runColumns(
  environment: Environment,
  select: ResolvedSelect,
  maxRows: number,
): GroupTables | null {
  const options = optionsOf(select)
  const open = openColumns(environment, select, options, maxRows)
  if (open === null) return null
  return readEnds(environment, select, options, {
    open,
    rowsIn: ({ table }) => table.length,
    lacksValues: () => false,
  })
}

function openColumns(
  environment: Environment,
  select: ResolvedSelect,
  options: RunOptions,
  maxRows: number,
): ((bounds: RunOptions) => GroupTables) | null {
  const { table, exprs, aux, symbols } = symbolsOf(select)
  if (table.calls.length > 0) {
    const plan = planWindows(environment, select, options, exprs, table)
    return plan && ((bounds) => readWindows(environment, plan, bounds, maxRows))
  }
  const plan = planColumns(select, { ...options, aux }, exprs, symbols)
  return plan && ((bounds) => readColumns(environment, plan, { ...bounds, aux }, maxRows))
}

function openRows(environment: Environment, select: ResolvedSelect, given: RunOptions): Rows {
  const { table, exprs, aux, symbols } = symbolsOf(select)
  const options = { ...given, aux }
  const sources =
    table.calls.length === 0
      ? rawSource(environment, select, options, symbols)
      : callSources(environment, select, options, table, symbols)
  return joinRows(sources, {
    exprs,
    fill: select.fill,
    ascending: options.ascending,
    giveTurn: () => environment.giveTurn(),
  })
}

/** What the fields are made of: with functions, and with variables, which come in the order of `aux`. */
function symbolsOf(select: ResolvedSelect): {
  readonly table: SymbolTable
  readonly exprs: readonly Expr[]
  readonly aux: readonly VarRef[]
  readonly symbols: readonly Symbol[]
} {
  const table = new SymbolTable()
  const exprs = columnFields(select.fields).map((field) => table.map(field))
  const brought = [...table.refs].sort(
    (a, b) => compareText(a.ref.name, b.ref.name) || compareTypes(a.ref.type, b.ref.type),
  )
  return {
    table,
    exprs,
    aux: brought.map(({ ref }) => ref),
    symbols: brought.map(({ symbol }) => symbol),
  }
}

function rawSource(
  environment: Environment,
  select: ResolvedSelect,
  options: RunOptions,
  aux: readonly Symbol[],
): readonly Source[] {
  if (aux.every(({ type }) => type === 'unknown')) return []
  const streams = select.sources
    .map((source) =>
      source.kind === 'measurement'
        ? streamStored(environment, source, null, options)
        : openSubquery(environment, source, null, options),
    )
    .filter((stream) => stream !== null)
  const points = mergeSorted(
    streams.map((stream) => stream.points),
    options,
  )
  return [{ points: limited(points, options), value: null, aux }]
}

function callSources(
  environment: Environment,
  select: ResolvedSelect,
  options: RunOptions,
  table: SymbolTable,
  aux: readonly Symbol[],
): readonly Source[] {
  const [only, ...others] = table.calls
  const isSelector = only !== undefined && others.length === 0 && selectors.has(only.call.name)
  const builder = new CallBuilder(environment, select.sources, isSelector, (source, ref, inner) =>
    openSubquery(environment, source, ref, inner),
  )
  return table.calls
    .filter(({ symbol }) => symbol.type !== 'unknown')
    .map(({ call, symbol }) => ({
      points: limited(builder.build(call, options).points, options),
      value: symbol,
      aux,
    }))
}

function limited(points: Points, { limit, offset }: RunOptions): Points {
  return limit > 0 || offset > 0 ? limitPoints(points, limit, offset) : points
}

/** Where a subquery's rows have a value: in a column, cast to a type, or among the tags. */
type Place = { readonly column: number; readonly type: DataType } | { readonly tag: string } | null

function openSubquery(
  environment: Environment,
  source: ResolvedSource & { readonly kind: 'subquery' },
  ref: VarRef | null,
  options: RunOptions,
): Stream | null {
  const { select } = source
  const main = ref === null ? null : placeOf(select, ref)
  if (ref !== null && main === null) return null
  const inner = optionsOfSubquery(select, options, environment.nowNs)
  const rows = openRows(environment, select, inner)
  const type = main === null || 'tag' in main ? (main === null ? 'float' : 'string') : stored(main.type)
  const aux = options.aux.map((one) => placeOf(select, one))
  const kept = options.condition === null ? rows : filterRows(rows, select, options.condition)
  return {
    type,
    points: pointsOfRows(kept, {
      main: ref === null ? null : { place: main, type },
      aux,
      tags: carriedTags(options),
    }),
  }
}

const stored = (type: DataType): DataType => (type === 'tag' ? 'string' : type === 'unknown' ? 'float' : type)

function placeOf(select: ResolvedSelect, ref: VarRef): Place {
  let column = 0
  for (const field of select.fields) {
    if (fieldName(field) === ref.name) return { column, type: ref.type }
    const extras = columnFields([field]).slice(1)
    const extra = extras.findIndex(({ expr }) => expr.kind === 'ref' && expr.name === ref.name)
    if (extra >= 0) return { column: column + 1 + extra, type: 'string' }
    column += 1 + extras.length
  }
  return select.dimensions.includes(ref.name) ? { tag: ref.name } : null
}

function valueIn(row: Row, place: Place): Scalar {
  if (place === null) return null
  if ('tag' in place) return row.tags.values.get(place.tag) ?? ''
  return castTo(row.values[place.column], place.type)
}

async function* filterRows(rows: Rows, select: ResolvedSelect, condition: Expr): Rows {
  const places = new Map(
    refsOf(condition).map((ref): [string, Place] => {
      const column = select.columns.indexOf(ref.name)
      return [ref.name, column < 0 ? { tag: ref.name } : { column, type: ref.type }]
    }),
  )
  for await (const batch of rows) {
    const kept = batch.filter((row) =>
      holds(condition, (name) => valueIn(row, places.get(name) ?? null), {
        floatDivision: false,
        math: false,
      }),
    )
    if (kept.length > 0) yield kept
  }
}

interface RowMapping {
  readonly main: { readonly place: Place; readonly type: DataType } | null
  readonly aux: readonly Place[]
  readonly tags: readonly string[]
}

async function* pointsOfRows(rows: Rows, { main, aux, tags }: RowMapping): Points {
  for await (const batch of rows) {
    yield batch.map((row): Point => {
      const value = main === null ? null : castTo(valueIn(row, main.place), main.type)
      return {
        name: row.name,
        tags: row.tags.subset(tags),
        timeNs: row.timeNs,
        value: main === null || isOfType(value, main.type) ? value : null,
        aux: aux.map((place) => valueIn(row, place)),
        aggregated: 0,
      }
    })
  }
}
