import type { Call, DataType, Expr, Field, VarRef } from '../ast.ts'
import { formatExpr } from '../format.ts'
import { isMathFunction } from '../math.ts'
import { typeOrUnknown } from '../types.ts'

export interface Symbol {
  readonly name: string
  readonly type: DataType
}

/** Puts symbols in the place of the functions and variables of fields; equal ones get the same symbol. */
export class SymbolTable {
  readonly calls: { readonly call: Call; readonly symbol: Symbol }[] = []
  readonly refs: { readonly ref: VarRef; readonly symbol: Symbol }[] = []
  readonly #symbols = new Map<string, Symbol>()

  /** The field's expression over symbols. */
  map(field: Field): Expr {
    return this.#map(field.expr)
  }

  #map(expr: Expr): Expr {
    switch (expr.kind) {
      case 'call':
        if (isMathFunction(expr.name)) return { ...expr, args: expr.args.map((arg) => this.#map(arg)) }
        return this.#symbolOf(expr)
      case 'ref':
        return this.#symbolOf(expr)
      case 'binary':
        return { ...expr, left: this.#map(expr.left), right: this.#map(expr.right) }
      case 'paren':
        return { ...expr, inner: this.#map(expr.inner) }
      default:
        return expr
    }
  }

  #symbolOf(expr: Call | VarRef): VarRef {
    const key = formatExpr(expr)
    let symbol = this.#symbols.get(key)
    if (symbol === undefined) {
      symbol = { name: `val${this.#symbols.size}`, type: typeOrUnknown(expr, () => 'unknown') }
      this.#symbols.set(key, symbol)
      if (expr.kind === 'call') this.calls.push({ call: expr, symbol })
      else this.refs.push({ ref: expr, symbol })
    }
    return { kind: 'ref', name: symbol.name, type: symbol.type }
  }
}
