import type { Expr } from './ast.ts'

/** Visits an expression and all that it is made of, from the outside in. */
export function walk(expr: Expr, visit: (node: Expr) => void): void {
  visit(expr)
  for (const child of childrenOf(expr)) walk(child, visit)
}

export function some(expr: Expr, holds: (node: Expr) => boolean): boolean {
  return holds(expr) || childrenOf(expr).some((child) => some(child, holds))
}

export function childrenOf(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case 'binary':
      return [expr.left, expr.right]
    case 'paren':
      return [expr.inner]
    case 'call':
      return expr.args
    default:
      return []
  }
}

/** Rebuilds an expression from the inside out. */
export function rewrite(expr: Expr, change: (node: Expr) => Expr): Expr {
  switch (expr.kind) {
    case 'binary':
      return change({ ...expr, left: rewrite(expr.left, change), right: rewrite(expr.right, change) })
    case 'paren':
      return change({ ...expr, inner: rewrite(expr.inner, change) })
    case 'call':
      return change({ ...expr, args: expr.args.map((arg) => rewrite(arg, change)) })
    default:
      return change(expr)
  }
}

/** Every variable in an expression, each name and type once. */
export function refsOf(expr: Expr | null): readonly (Expr & { readonly kind: 'ref' })[] {
  const refs = new Map<string, Expr & { readonly kind: 'ref' }>()
  if (expr !== null) {
    walk(expr, (node) => {
      if (node.kind === 'ref') refs.set(`${node.type} ${node.name}`, node)
    })
  }
  return [...refs.values()]
}
