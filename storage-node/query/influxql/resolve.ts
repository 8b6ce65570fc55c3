import type { Call, DataType, Expr, Field, VarRef } from './ast.ts'
import { columnNames, fieldName, hasWildcard } from './columns.ts'
import type { CompiledSelect, CompiledSource } from './compile.ts'
import { statementError } from './condition.ts'
import { compareTypes, dominant } from './data-type.ts'
import { formatExpr } from './format.ts'
import { compareText } from './scalar.ts'
import { typeOfName, type BoundMeasurement } from './schema.ts'
import { typeOf, typeOrUnknown } from './types.ts'
import { rewrite, some } from './walk.ts'

/** A compiled SELECT beside the data: names have types, wildcards are written out. */
export interface ResolvedSelect extends Omit<CompiledSelect, 'sources' | 'dimensions'> {
  readonly sources: readonly ResolvedSource[]
  /** Tags of GROUP BY. */
  readonly dimensions: readonly string[]
  readonly columns: readonly string[]
}
export type ResolvedSource = BoundMeasurement | { readonly kind: 'subquery'; readonly select: ResolvedSelect }

/** @throws AppError invalid */
export function resolveSelect(
  select: CompiledSelect,
  bind: (source: CompiledSource & { readonly kind: 'measurement' }) => BoundMeasurement,
): ResolvedSelect {
  const resolved = resolveNames(select, bind)
  for (const field of resolved.fields) typeOf(field.expr, () => 'unknown')
  return resolved
}

function resolveNames(
  select: CompiledSelect,
  bind: (source: CompiledSource & { readonly kind: 'measurement' }) => BoundMeasurement,
): ResolvedSelect {
  const sources = select.sources.map((source): ResolvedSource =>
    source.kind === 'measurement'
      ? bind(source)
      : { kind: 'subquery', select: resolveNames(source.select, bind) },
  )
  const typed = select.fields.map((field) => ({ ...field, expr: withTypes(field.expr, sources) }))
  const condition = select.condition === null ? null : withTypes(select.condition, sources)
  const wildDimensions = select.dimensions.some((expr) => expr.kind !== 'ref')
  const known = namesIn(sources)
  const dimensions = expandDimensions(select.dimensions, known.tags)
  const fields = typed.some((field) => hasWildcard(field.expr))
    ? expandFields(typed, refsFor(known, dimensions, wildDimensions))
    : typed
  return {
    ...select,
    fields,
    condition,
    sources,
    dimensions,
    columns: columnNames(fields, select.timeColumn),
  }
}

/** Gives variables the types that they have in the sources. A cast to `field` does not make a field of a tag. */
function withTypes(expr: Expr, sources: readonly ResolvedSource[]): Expr {
  return rewrite(expr, (node) => {
    if (node.kind !== 'ref' || (node.type !== 'unknown' && node.type !== 'field')) return node
    const type = typeInSources(sources, node.name)
    return type === 'tag' && node.type === 'field' ? node : { ...node, type }
  })
}

function typeInSources(sources: readonly ResolvedSource[], name: string): DataType {
  let type: DataType = 'unknown'
  for (const source of sources) {
    if (source.kind === 'measurement') {
      type = dominant(type, typeOfName(source, name))
      continue
    }
    const { select } = source
    type = dominant(type, typeOfColumn(select, name))
    if (type === 'unknown' && select.dimensions.includes(name)) type = 'tag'
  }
  return type
}

/** Worked out once a column: what names a column twice at each of many levels would otherwise never end. */
const columnTypes = new WeakMap<ResolvedSelect, Map<string, DataType>>()

function typeOfColumn(select: ResolvedSelect, name: string): DataType {
  const known = columnTypes.get(select) ?? new Map<string, DataType>()
  columnTypes.set(select, known)
  let type = known.get(name)
  if (type === undefined) {
    const expr = exprByName(select.fields, name)
    type = expr === null ? 'unknown' : typeOf(expr, (inner) => typeInSources(select.sources, inner))
    known.set(name, type)
  }
  return type
}

function exprByName(fields: readonly Field[], name: string): Expr | null {
  for (const field of fields) {
    if (fieldName(field) === name) return field.expr
    const { expr } = field
    if (expr.kind !== 'call' || (expr.name !== 'top' && expr.name !== 'bottom')) continue
    const arg = expr.args.slice(1, -1).find((one) => one.kind === 'ref' && one.name === name)
    if (arg !== undefined) return arg
  }
  return null
}

interface Names {
  readonly fields: ReadonlyMap<string, DataType>
  readonly tags: ReadonlySet<string>
}

function namesIn(sources: readonly ResolvedSource[]): Names {
  const fields = new Map<string, DataType>()
  const tags = new Set<string>()
  const add = (name: string, type: DataType): void =>
    void fields.set(name, dominant(fields.get(name) ?? 'unknown', type))
  for (const source of sources) {
    if (source.kind === 'measurement') {
      for (const schema of source.schemas) {
        for (const [name, type] of schema.fields) add(name, type)
        for (const name of schema.tagKeys) tags.add(name)
      }
      continue
    }
    const { select } = source
    for (const field of select.fields) {
      add(
        fieldName(field),
        typeOrUnknown(field.expr, (name) => typeInSources(select.sources, name)),
      )
    }
    for (const name of select.dimensions) tags.add(name)
  }
  return { fields, tags }
}

function expandDimensions(dimensions: readonly Expr[], tags: ReadonlySet<string>): readonly string[] {
  const sorted = [...tags].sort(compareText)
  return dimensions.flatMap((expr) => {
    if (expr.kind === 'wildcard') return sorted
    if (expr.kind === 'regex') return sorted.filter((name) => expr.regex.matches(name))
    return expr.kind === 'ref' ? [expr.name] : []
  })
}

/** What a wildcard stands for: fields, and tags that are not grouped by, unless GROUP BY has a wildcard itself. */
function refsFor(known: Names, dimensions: readonly string[], wildDimensions: boolean): readonly VarRef[] {
  if (known.fields.size === 0) return []
  const tags = wildDimensions ? [] : [...known.tags].filter((name) => !dimensions.includes(name))
  const refs = [...known.fields, ...tags.map((name): [string, DataType] => [name, 'tag'])]
  return refs
    .map(([name, type]): VarRef => ({ kind: 'ref', name, type }))
    .sort((a, b) => compareText(a.name, b.name) || compareTypes(a.type, b.type))
}

function expandFields(fields: readonly Field[], refs: readonly VarRef[]): readonly Field[] {
  return fields.flatMap((field): readonly Field[] => {
    const { expr } = field
    switch (expr.kind) {
      case 'wildcard':
        return refs
          .filter((ref) => expr.only === null || (ref.type === 'tag') === (expr.only === 'tag'))
          .map((ref) => ({ expr: ref, alias: '' }))
      case 'regex':
        return refs.filter((ref) => expr.regex.matches(ref.name)).map((ref) => ({ expr: ref, alias: '' }))
      case 'call':
        return expandCall(field, expr, refs)
      case 'binary':
        return [checkBinary(field)]
      default:
        return [field]
    }
  })
}

function checkBinary(field: Field): Field {
  const text = (what: string): string => `unsupported expression with ${what}: ${formatExpr(field.expr)}`
  if (some(field.expr, (node) => node.kind === 'wildcard')) throw statementError(text('wildcard'))
  if (some(field.expr, (node) => node.kind === 'regex')) throw statementError(text('regex field'))
  return field
}

/** `mean(*)` is one call for each field that the innermost function takes. */
function expandCall(field: Field, call: Call, refs: readonly VarRef[]): readonly Field[] {
  const inner = innermost(call)
  const argument = inner.args[0]
  if (argument === undefined || (argument.kind !== 'wildcard' && argument.kind !== 'regex')) return [field]
  if (argument.kind === 'wildcard' && argument.only === 'tag') {
    throw statementError(`unable to use tag wildcard in ${inner.name}()`)
  }
  const types = typesTakenBy(inner.name)
  return refs
    .filter(
      (ref) => types.has(ref.type) && (argument.kind === 'wildcard' || argument.regex.matches(ref.name)),
    )
    .map((ref) => ({ expr: withArgument(call, ref), alias: `${fieldName(field)}_${ref.name}` }))
}

function innermost(call: Call): Call {
  const [first] = call.args
  return first?.kind === 'call' ? innermost(first) : call
}

function withArgument(call: Call, ref: VarRef): Call {
  const [first, ...others] = call.args
  return { ...call, args: [first?.kind === 'call' ? withArgument(first, ref) : ref, ...others] }
}

function typesTakenBy(name: string): ReadonlySet<DataType> {
  const types = new Set<DataType>(['float', 'integer', 'unsigned'])
  const anyType = ['count', 'first', 'last', 'distinct', 'elapsed', 'mode', 'sample'].includes(name)
  if (anyType) types.add('string')
  if (anyType || name === 'min' || name === 'max') types.add('boolean')
  return types
}
