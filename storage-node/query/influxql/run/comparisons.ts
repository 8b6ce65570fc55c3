import type { FieldComparison, FieldType, MeasurementSchema } from '../../../engine/reader.ts'
import type { BinaryExpr, Expr, VarRef } from '../ast.ts'
import { isField } from '../series-filter.ts'
import { refsOf } from '../walk.ts'
import { typeOfField } from './scan.ts'

const mirrored = { '=': '=', '!=': '!=', '<': '>', '<=': '>=', '>': '<', '>=': '<=' } as const
const isOperator = (operator: string): operator is FieldComparison['operator'] =>
  Object.hasOwn(mirrored, operator)

/**
 * The comparisons of a field with a literal that a condition joins by AND: it can only hold where they all do. Only
 * those that evaluation decides exactly as `FieldComparison` says, so a condition may ask for more than they do.
 */
export function comparisonsIn(condition: Expr | null, schema: MeasurementSchema): readonly FieldComparison[] {
  return allIn(condition, schema).filter((comparison) => comparison !== null)
}

/** The same when it is all that the condition asks for; otherwise null. */
export function comparisonsOnly(
  condition: Expr | null,
  schema: MeasurementSchema,
): readonly FieldComparison[] | null {
  const all = allIn(condition, schema)
  const known = all.filter((comparison) => comparison !== null)
  return known.length === all.length ? known : null
}

/** Null stands for what is no such comparison. */
function allIn(condition: Expr | null, schema: MeasurementSchema): readonly (FieldComparison | null)[] {
  // Evaluation reads a name in one way throughout a condition: what one mention casts, it casts everywhere.
  const other = new Set(
    refsOf(condition)
      .filter((ref) => !isReadAsStored(ref, schema))
      .map(({ name }) => name),
  )
  return comparisonsOf(condition, schema).map((comparison) =>
    comparison === null || other.has(comparison.field) ? null : comparison,
  )
}

/** As a field of the type that it is stored with: a cast may round. */
function isReadAsStored(ref: VarRef, schema: MeasurementSchema): boolean {
  return isField(ref, schema) && typeOfField(schema, ref) === (schema.fields.get(ref.name) ?? null)
}

function comparisonsOf(
  condition: Expr | null,
  schema: MeasurementSchema,
): readonly (FieldComparison | null)[] {
  if (condition === null) return []
  if (condition.kind === 'paren') return comparisonsOf(condition.inner, schema)
  if (condition.kind !== 'binary') return [null]
  if (condition.operator !== 'AND') return [comparisonOf(condition, schema)]
  return [...comparisonsOf(condition.left, schema), ...comparisonsOf(condition.right, schema)]
}

function comparisonOf(
  { operator, left, right }: BinaryExpr,
  schema: MeasurementSchema,
): FieldComparison | null {
  if (!isOperator(operator)) return null
  const [ref, literal] = left.kind === 'ref' ? [left, right] : [right, left]
  if (ref.kind !== 'ref' || !isField(ref, schema)) return null
  const type = schema.fields.get(ref.name)
  if (type === undefined) return null
  const value = literalAs(type, literal)
  const isEquality = operator === '=' || operator === '!='
  if (value === null || (!isEquality && (type === 'string' || type === 'boolean'))) return null
  return { field: ref.name, operator: ref === left ? operator : mirrored[operator], value }
}

/** A literal as a value of a field's type, or null where comparing as that type could differ from evaluation. */
function literalAs(type: FieldType, literal: Expr): FieldComparison['value'] | null {
  switch (literal.kind) {
    case 'string':
      return type === 'string' ? literal.value : null
    case 'boolean':
      return type === 'boolean' ? literal.value : null
    case 'number':
      if (type === 'float') return literal.value
      return Number.isSafeInteger(literal.value) ? wholeAs(type, BigInt(literal.value)) : null
    case 'integer':
      return type === 'float' ? Number(literal.value) : wholeAs(type, literal.value)
    case 'unsigned':
      return type === 'float' ? Number(literal.value) : type === 'unsigned' ? literal.value : null
    default:
      return null
  }
}

/** Beside unsigned fields negative literals wrap in some operations. */
function wholeAs(type: FieldType, value: bigint): bigint | null {
  return type === 'integer' || (type === 'unsigned' && value >= 0n) ? value : null
}
