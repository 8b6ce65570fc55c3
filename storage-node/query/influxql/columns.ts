import type { Expr, Field } from './ast.ts'
import { walk } from './walk.ts'

/** A field's own name: its alias, its function or variable, or the names in an expression joined by `_`. */
export function fieldName(field: Field): string {
  return field.alias === '' ? exprName(field.expr) : field.alias
}

function exprName(expr: Expr): string {
  switch (expr.kind) {
    case 'call':
    case 'ref':
      return expr.name
    case 'paren':
      return exprName(expr.inner)
    case 'binary':
      return namesIn(expr).join('_')
    default:
      return ''
  }
}

/** Variables and functions, but not what is inside functions. */
function namesIn(expr: Expr): readonly string[] {
  if (expr.kind === 'ref' || expr.kind === 'call') return [expr.name]
  const names: string[] = []
  if (expr.kind === 'binary') names.push(...namesIn(expr.left), ...namesIn(expr.right))
  if (expr.kind === 'paren') names.push(...namesIn(expr.inner))
  return names
}

/** The fields that make columns: top() and bottom() bring the tags and fields that they name along. */
export function columnFields(fields: readonly Field[]): readonly Field[] {
  return fields.flatMap((field) => [field, ...extrasOf(field.expr)])
}

export function extrasOf(expr: Expr): readonly Field[] {
  if (expr.kind !== 'call' || (expr.name !== 'top' && expr.name !== 'bottom')) return []
  return expr.args
    .slice(1)
    .filter((arg) => arg.kind === 'ref')
    .map((arg) => ({ expr: arg, alias: '' }))
}

/** Columns' names, each once: repeated ones get `_1`, `_2`. @param timeColumn null for none */
export function columnNames(fields: readonly Field[], timeColumn: string | null): readonly string[] {
  const used = new Map<string, number>()
  const columns = columnFields(fields)
  for (const { alias } of columns) if (alias !== '') used.set(alias, 1)
  const names = columns.map((field) => {
    if (field.alias !== '') return field.alias
    const base = exprName(field.expr)
    let name = base
    let count = used.get(base)
    if (count !== undefined) {
      while (used.has(`${base}_${count}`)) count++
      name = `${base}_${count}`
      used.set(base, count + 1)
    }
    used.set(name, (used.get(name) ?? 0) + 1)
    return name
  })
  return timeColumn === null ? names : [timeColumn, ...names]
}

/** Whether any part of the expression is a wildcard or a regular expression. */
export function hasWildcard(expr: Expr): boolean {
  let found = false
  walk(expr, (node) => {
    found ||= node.kind === 'wildcard' || node.kind === 'regex'
  })
  return found
}
