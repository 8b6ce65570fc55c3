import type { Call, Expr, Field, Fill } from './ast.ts'
import { goTypeOf, statementError } from './condition.ts'
import type { Interval } from './compile-dimensions.ts'
import { distinctAsCall } from './distinct.ts'
import { formatDuration } from './duration.ts'
import { formatExpr } from './format.ts'
import { argumentCount, isMathFunction } from './math.ts'
import { isLiteral } from './reduce.ts'

export interface FieldCompilerOptions {
  readonly interval: Interval
  /** The interval is that of the query outside, so nothing is asked of this one because of it. */
  readonly inherited: boolean
  readonly limit: number
  readonly fill: Fill
}

const selectors = new Set(['max', 'min', 'first', 'last'])
const aggregates = new Set(['count', 'sum', 'mean', 'median', 'mode', 'stddev', 'spread'])

/** Checks the fields of one SELECT, each alone and all together, in the order and with the texts of InfluxDB 1.x. */
export class FieldCompiler {
  readonly #options: FieldCompilerOptions
  #calls = 0
  #onlySelectors = true
  #hasDistinct = false
  #hasPlainFields = false
  #topOrBottom: string | null = null
  #wildcards = true
  #extraIntervals = 0

  constructor(options: FieldCompilerOptions) {
    this.#options = options
  }

  /** @returns the fields, with DISTINCT as a call */
  compile(fields: readonly Field[]): readonly Field[] {
    for (const field of fields) {
      this.#wildcards = true
      this.#expr(field.expr)
    }
    this.#together(fields.length)
    return fields.map((field) => ({ ...field, expr: distinctAsCall(field.expr) }))
  }

  /** Windows outside the range that the transformations read, after `compile`. */
  get extraIntervals(): number {
    return this.#extraIntervals
  }

  #together(fieldCount: number): void {
    if (fieldCount === 0) throw statementError('at least 1 non-time field must be queried')
    const { fill, interval, inherited } = this.#options
    if (this.#calls > 1 && this.#topOrBottom !== null) throw this.#notCombined()
    if (this.#calls === 0) {
      if (fill.kind === 'none' || fill.kind === 'linear') {
        throw statementError(`fill(${fill.kind}) must be used with a function`)
      }
      if (interval.durationNs !== 0n && !inherited) {
        throw statementError('GROUP BY requires at least one aggregate function')
      }
    }
    if (this.#hasDistinct && (this.#calls !== 1 || this.#hasPlainFields)) {
      throw statementError('aggregate function distinct() cannot be combined with other functions or fields')
    }
    if (!this.#hasPlainFields) return
    if (!this.#onlySelectors)
      throw statementError('mixing aggregate and non-aggregate queries is not supported')
    if (this.#calls > 1) {
      throw statementError('mixing multiple selector functions with tags or fields is not supported')
    }
  }

  #notCombined(): Error {
    return statementError(`selector function ${this.#topOrBottom}() cannot be combined with other functions`)
  }

  #expr(expr: Expr): void {
    switch (expr.kind) {
      case 'ref':
        this.#hasPlainFields = true
        return
      case 'wildcard':
        this.#hasPlainFields = true
        if (!this.#wildcards) throw statementError('unable to use wildcard in a binary expression')
        return
      case 'regex':
        if (!this.#wildcards) throw statementError('unable to use regex in a binary expression')
        this.#hasPlainFields = true
        return
      case 'distinct':
        this.#calls++
        return this.#distinct([{ kind: 'ref', name: expr.name, type: 'unknown' }], false)
      case 'call':
        return this.#call(expr)
      case 'binary':
        return this.#binary(expr.left, expr.right)
      case 'paren':
        return this.#expr(expr.inner)
      default:
        throw statementError('field must contain at least one variable')
    }
  }

  #binary(left: Expr, right: Expr): void {
    this.#wildcards = false
    if (isLiteral(left) && isLiteral(right)) {
      throw statementError('cannot perform a binary expression on two literals')
    }
    if (!isLiteral(left)) this.#expr(left)
    if (!isLiteral(right)) this.#expr(right)
  }

  #call(call: Call): void {
    const { name, args } = call
    if (isMathFunction(name)) {
      expectCount(name, args, argumentCount(name))
      for (const arg of args) if (!isLiteral(arg)) this.#expr(arg)
      return
    }
    this.#calls++
    switch (name) {
      case 'percentile':
        return this.#percentile(args)
      case 'sample':
        return this.#sample(args)
      case 'distinct':
        return this.#distinct(args, false)
      case 'top':
      case 'bottom':
        return this.#top(call)
      case 'derivative':
      case 'non_negative_derivative':
        expectBetween(name, args, 1, 2)
        this.#duration(args[1], (got) => `second argument to ${name} must be a duration, got ${got}`)
        return this.#transformation(name, args[0]!)
      case 'elapsed':
        expectBetween(name, args, 1, 2)
        this.#duration(args[1], (got) => `second argument to elapsed must be a duration, got ${got}`)
        return this.#transformation(name, args[0]!)
      case 'difference':
      case 'non_negative_difference':
      case 'cumulative_sum':
        expectCount(name, args, 1)
        return this.#transformation(name, args[0]!)
      case 'moving_average':
        return this.#movingAverage(args)
      case 'integral':
        expectBetween(name, args, 1, 2)
        this.#duration(args[1], () => 'second argument must be a duration')
        this.#onlySelectors = false
        return this.#symbol(name, args[0]!)
      default:
        return this.#simple(call)
    }
  }

  #simple({ name, args }: Call): void {
    if (!selectors.has(name) && !aggregates.has(name)) throw statementError(`undefined function ${name}()`)
    if (aggregates.has(name)) this.#onlySelectors = false
    expectCount(name, args, 1)
    const arg = args[0]!
    if (name === 'count' && arg.kind === 'call' && arg.name === 'distinct')
      return this.#distinct(arg.args, true)
    if (name === 'count' && arg.kind === 'distinct') {
      return this.#distinct([{ kind: 'ref', name: arg.name, type: 'unknown' }], true)
    }
    this.#symbol(name, arg)
  }

  #symbol(name: string, arg: Expr): void {
    if (arg.kind === 'ref') return
    if (arg.kind !== 'wildcard' && arg.kind !== 'regex')
      throw statementError(`expected field argument in ${name}()`)
    if (!this.#wildcards) {
      const what = arg.kind === 'wildcard' ? 'wildcard' : 'regex field'
      throw statementError(`unsupported expression with ${what}: ${name}()`)
    }
    this.#onlySelectors = false
  }

  #percentile(args: readonly Expr[]): void {
    expectCount('percentile', args, 2)
    const rank = args[1]!
    if (rank.kind !== 'integer' && rank.kind !== 'number') {
      throw statementError('expected float argument in percentile()')
    }
    this.#symbol('percentile', args[0]!)
  }

  #sample(args: readonly Expr[]): void {
    expectCount('sample', args, 2)
    const size = args[1]!
    if (size.kind !== 'integer') throw statementError('expected integer argument in sample()')
    if (size.value <= 0n) throw statementError(`sample window must be greater than 1, got ${size.value}`)
    this.#symbol('sample', args[0]!)
  }

  #movingAverage(args: readonly Expr[]): void {
    const name = 'moving_average'
    expectCount(name, args, 2)
    const size = args[1]!
    if (size.kind !== 'integer') {
      throw statementError(`second argument for ${name} must be an integer, got ${goTypeOf(size)}`)
    }
    if (size.value <= 1n) throw statementError(`${name} window must be greater than 1, got ${size.value}`)
    this.#extraIntervals = Math.max(this.#extraIntervals, Number(size.value))
    this.#transformation(name, args[0]!)
  }

  #duration(arg: Expr | undefined, unfit: (got: string) => string): void {
    if (arg === undefined) return
    if (arg.kind !== 'duration') throw statementError(unfit(goTypeOf(arg)))
    if (arg.ns <= 0n)
      throw statementError(`duration argument must be positive, got ${formatDuration(arg.ns)}`)
  }

  /** Works on the points of a field, or on the windows of a call. */
  #transformation(name: string, arg: Expr): void {
    const { interval, inherited } = this.#options
    this.#onlySelectors = false
    this.#extraIntervals = Math.max(this.#extraIntervals, 1)
    if (arg.kind === 'call') {
      if (interval.durationNs === 0n) throw statementError(`${name} aggregate requires a GROUP BY interval`)
      if (arg.name === 'distinct') return this.#distinct(arg.args, true)
      return this.#expr(arg)
    }
    if (interval.durationNs !== 0n && !inherited) {
      throw statementError(`aggregate function required inside the call to ${name}`)
    }
    this.#symbol(name, arg)
  }

  #distinct(args: readonly Expr[], nested: boolean): void {
    if (args.length === 0) throw statementError('distinct function requires at least one argument')
    if (args.length > 1) throw statementError('distinct function can only have one argument')
    if (args[0]!.kind !== 'ref') throw statementError('expected field argument in distinct()')
    if (!nested) this.#hasDistinct = true
    this.#onlySelectors = false
  }

  #top({ name, args }: Call): void {
    if (this.#topOrBottom !== null) throw this.#notCombined()
    if (args.length < 2) {
      throw statementError(`invalid number of arguments for ${name}, expected at least 2, got ${args.length}`)
    }
    const count = args.at(-1)!
    if (count.kind !== 'integer') {
      throw statementError(`expected integer as last argument in ${name}(), found ${formatExpr(count)}`)
    }
    if (count.value <= 0n)
      throw statementError(`limit (${count.value}) in ${name} function must be at least 1`)
    const { limit } = this.#options
    if (limit > 0 && count.value > BigInt(limit)) {
      throw statementError(
        `limit (${count.value}) in ${name} function can not be larger than the LIMIT (${limit}) in the select statement`,
      )
    }
    if (args[0]!.kind !== 'ref') {
      throw statementError(
        `expected first argument to be a field in ${name}(), found ${formatExpr(args[0]!)}`,
      )
    }
    for (const arg of args.slice(1, -1)) {
      if (arg.kind !== 'ref') {
        throw statementError(`only fields or tags are allowed in ${name}(), found ${formatExpr(arg)}`)
      }
      this.#hasPlainFields = true
    }
    this.#topOrBottom = name
  }
}

function expectCount(name: string, args: readonly Expr[], expected: number): void {
  if (args.length === expected) return
  throw statementError(`invalid number of arguments for ${name}, expected ${expected}, got ${args.length}`)
}

function expectBetween(name: string, args: readonly Expr[], min: number, max: number): void {
  if (args.length >= min && args.length <= max) return
  throw statementError(
    `invalid number of arguments for ${name}, expected at least ${min} but no more than ${max}, got ${args.length}`,
  )
}
