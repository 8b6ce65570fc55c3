import type { MeasurementSchema, Series } from '../../engine/reader.ts'
import type { BinaryExpr, Expr, Source } from './ast.ts'
import { statementError } from './condition.ts'
import type { GiveTurn } from './in-turns.ts'
import { Regex } from './regex.ts'
import { rewrite } from './walk.ts'

/** Names that stand for the measurement and the tag's key in conditions of SHOW statements. */
const systemNames = new Set([
  '_fieldKeys',
  '_measurements',
  '_name',
  '_series',
  '_tagKey',
  '_tagKeys',
  '_tags',
])
export const isSystemName = (name: string): boolean => systemNames.has(name)

const equalities = new Set(['=', '!=', '=~', '!~'])

/** FROM as a condition on `_name`, joined with the statement's own. */
export function withSources(sources: readonly Source[], condition: Expr | null): Expr | null {
  const names = sources.flatMap((source): readonly Expr[] => {
    if (source.kind !== 'measurement') return []
    const left: Expr = { kind: 'ref', name: '_name', type: 'unknown' }
    return source.regex === null
      ? [{ kind: 'binary', operator: '=', left, right: { kind: 'string', value: source.name } }]
      : [{ kind: 'binary', operator: '=~', left, right: { kind: 'regex', regex: source.regex } }]
  })
  if (names.length === 0) return condition
  const any = names.reduce((left, right) => ({ kind: 'binary', operator: 'OR', left, right }))
  return condition === null ? any : both(any, condition)
}

export function both(left: Expr, right: Expr): Expr {
  return {
    kind: 'binary',
    operator: 'AND',
    left: { kind: 'paren', inner: left },
    right: { kind: 'paren', inner: right },
  }
}

/** Leaves out the equalities whose left side is not among the names that `keep` takes; null when nothing is left. */
export function onlyComparisonsOf(expr: Expr | null, keep: (name: string) => boolean): Expr | null {
  if (expr === null) return null
  const gone: Expr = { kind: 'nil' }
  const left = rewrite(expr, (node) => {
    if (node.kind === 'paren') return node.inner === gone ? gone : node
    if (node.kind !== 'binary') return node
    if (node.left === gone) return node.right
    if (node.right === gone) return node.left
    if (!equalities.has(node.operator)) return node
    return node.left.kind === 'ref' && keep(node.left.name) ? node : gone
  })
  return left === gone ? null : left
}

/** Measurements and their series, for conditions that look at both. */
export interface Inventory {
  readonly schemas: readonly MeasurementSchema[]
  /** Some at a time, with a turn for others between: there may be very many. */
  seriesOf(schema: MeasurementSchema): AsyncGenerator<readonly Series[], void, undefined>
  readonly giveTurn: GiveTurn
}

/** The measurements for which a condition on tags and `_name` holds: one by one, then joined as sets. */
export async function measurementsWhere(
  expr: Expr | null,
  inventory: Inventory,
): Promise<readonly MeasurementSchema[]> {
  if (expr === null) return inventory.schemas
  switch (expr.kind) {
    case 'paren':
      return measurementsWhere(expr.inner, inventory)
    case 'binary': {
      if (expr.operator !== 'AND' && expr.operator !== 'OR') return measurementsComparing(expr, inventory)
      const left = new Set(await measurementsWhere(expr.left, inventory))
      const right = new Set(await measurementsWhere(expr.right, inventory))
      return inventory.schemas.filter((schema) =>
        expr.operator === 'AND'
          ? left.has(schema) && right.has(schema)
          : left.has(schema) || right.has(schema),
      )
    }
    default:
      throw statementError(`invalid condition: a measurement cannot be compared with this expression`)
  }
}

/** The two sides of an equality with a name on its left. */
export function equalityOf(
  expr: BinaryExpr,
  otherwise: string,
): { readonly name: string; readonly test: (text: string) => boolean; readonly negated: boolean } {
  if (!equalities.has(expr.operator)) throw statementError(otherwise)
  if (expr.left.kind !== 'ref') throw statementError(`left side of '${expr.operator}' must be a tag key`)
  const negated = expr.operator === '!=' || expr.operator === '!~'
  const value = valueOf(expr)
  return {
    name: expr.left.name,
    test: (text) => (value instanceof Regex ? value.matches(text) : value === text),
    negated,
  }
}

function valueOf(expr: BinaryExpr): Regex | string {
  if (expr.operator === '=~' || expr.operator === '!~') {
    if (expr.right.kind === 'regex') return expr.right.regex
    throw statementError(`right side of '${expr.operator}' must be a regular expression`)
  }
  if (expr.right.kind === 'string') return expr.right.value
  throw statementError(`right side of '${expr.operator}' must be a tag value string`)
}

async function measurementsComparing(
  expr: BinaryExpr,
  inventory: Inventory,
): Promise<readonly MeasurementSchema[]> {
  const { name, test, negated } = equalityOf(expr, 'invalid tag comparison operator')
  if (name === '_name') return inventory.schemas.filter((schema) => test(schema.name) !== negated)
  if (isSystemName(name)) return []
  // Any series decides; a measurement without the tag is never meant.
  const meant: MeasurementSchema[] = []
  for (const schema of inventory.schemas) {
    if (!schema.tagKeys.includes(name)) continue
    if ((await hasTagThat(test, name, schema, inventory)) !== negated) meant.push(schema)
  }
  return meant
}

async function hasTagThat(
  test: (text: string) => boolean,
  name: string,
  schema: MeasurementSchema,
  inventory: Inventory,
): Promise<boolean> {
  for await (const some of inventory.seriesOf(schema)) {
    for (const { tags } of some) {
      const value = tags.get(name)
      if (value !== undefined && test(value)) return true
    }
  }
  return false
}

/** The tag keys that a condition on `_tagKey` names; null where it says nothing of them. */
export function tagKeysWhere(expr: Expr, keys: readonly string[]): ReadonlySet<string> | null {
  if (expr.kind === 'paren') return tagKeysWhere(expr.inner, keys)
  if (expr.kind !== 'binary')
    throw statementError('invalid condition: a tag key cannot be compared with this expression')
  if (expr.operator !== 'AND' && expr.operator !== 'OR') {
    const { name, test, negated } = equalityOf(expr, 'invalid operator')
    return name === '_tagKey' ? new Set(keys.filter((key) => test(key) !== negated)) : null
  }
  const left = tagKeysWhere(expr.left, keys)
  const right = tagKeysWhere(expr.right, keys)
  if (left === null || right === null) return left ?? right
  return expr.operator === 'AND'
    ? new Set([...left].filter((key) => right.has(key)))
    : new Set([...left, ...right])
}
