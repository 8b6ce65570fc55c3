import type { Call, Expr } from './ast.ts'
import { rewrite } from './walk.ts'

/** `DISTINCT v` is `distinct(v)`. */
export function distinctAsCall(expr: Expr): Expr {
  return rewrite(expr, (node) =>
    node.kind === 'distinct'
      ? ({
          kind: 'call',
          name: 'distinct',
          args: [{ kind: 'ref', name: node.name, type: 'unknown' }],
        } satisfies Call)
      : node,
  )
}
