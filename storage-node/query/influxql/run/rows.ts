import type { Expr, Fill } from '../ast.ts'
import { evaluate } from '../evaluate.ts'
import { castTo, type Scalar } from '../scalar.ts'
import { compareGroups, isNil, sameGroup, type Point, type Tags } from './point.ts'
import { batchSize, PointReader, rowsFor, type Points } from './stream.ts'
import type { Symbol } from './symbols.ts'

/** A row of a SELECT, without its time's column. */
export interface Row {
  readonly timeNs: bigint
  readonly name: string
  readonly tags: Tags
  readonly values: readonly Scalar[]
}
export type Rows = AsyncGenerator<readonly Row[], void, undefined>

/** A stream with the symbols that its points' values go by: that of the value, if it counts, and those that come along. */
export interface Source {
  readonly points: Points
  readonly value: Symbol | null
  readonly aux: readonly Symbol[]
}

export interface RowOptions {
  readonly exprs: readonly Expr[]
  readonly fill: Fill
  readonly ascending: boolean
  /** Of many functions each brings a batch of points: others have their turn between two of them. */
  readonly giveTurn: () => Promise<void>
}

/** Values in a batch of rows: one of wide rows has fewer. */
const maxBatchCells = 20_000

const inSelect = { floatDivision: true, math: true } as const

/** Joins streams at equal groups and times into rows. */
export async function* joinRows(sources: readonly Source[], options: RowOptions): Rows {
  const inputs = sources.map((source) => new Input(source, options.fill))
  try {
    yield* join(inputs, options)
  } finally {
    for (const input of inputs) await input.reader.close()
  }
}

async function* join(inputs: readonly Input[], { exprs, ascending, giveTurn }: RowOptions): Rows {
  const direction = ascending ? 1 : -1
  const values = new Map<string, Scalar>()
  const lookup = (name: string): Scalar => values.get(name) ?? null
  let previous: Point | null = null
  const size = Math.min(batchSize, rowsFor(exprs.length, maxBatchCells))
  let rows: Row[] = []
  for (;;) {
    const next = await leading(inputs, direction, giveTurn)
    if (next === null) break
    // Values of the series before must not fill gaps of this one.
    if (previous !== null && !sameGroup(previous, next)) values.clear()
    previous = next
    for (const input of inputs) input.take(next, values)
    rows.push({
      timeNs: next.timeNs,
      name: next.name,
      tags: next.tags,
      values: exprs.map((expr) =>
        expr.kind === 'ref' ? lookup(expr.name) : evaluate(expr, lookup, inSelect),
      ),
    })
    if (rows.length < size) continue
    yield rows
    rows = []
  }
  if (rows.length > 0) yield rows
}

/** The point that comes first among those at the inputs' heads. */
async function leading(
  inputs: readonly Input[],
  direction: 1 | -1,
  giveTurn: RowOptions['giveTurn'],
): Promise<Point | null> {
  let best: Point | null = null
  for (const { reader } of inputs) {
    if (reader.current === undefined) {
      if (!(await reader.fill())) continue
      await giveTurn()
    }
    const point = reader.current!
    if (best === null || direction * comparePoints(point, best) < 0) best = point
  }
  return best
}

const comparePoints = (a: Point, b: Point): number =>
  compareGroups(a, b) || (a.timeNs < b.timeNs ? -1 : a.timeNs > b.timeNs ? 1 : 0)

class Input {
  readonly reader: PointReader
  readonly #source: Source
  readonly #fill: Fill

  constructor(source: Source, fill: Fill) {
    this.reader = new PointReader(source.points)
    this.#source = source
    this.#fill = fill
  }

  /** Puts the values of the point at `at` under their symbols, or what fills in for them. */
  take(at: Point, values: Map<string, Scalar>): void {
    const point = this.reader.current
    const { value, aux } = this.#source
    if (point === undefined || point.timeNs !== at.timeNs || !sameGroup(point, at)) {
      if (value !== null) this.#default(value, values)
      for (const symbol of aux) this.#default(symbol, values)
      return
    }
    this.reader.advance()
    if (value !== null) {
      if (isNil(point)) this.#default(value, values)
      else values.set(value.name, point.value)
    }
    for (const [i, symbol] of aux.entries()) {
      const scalar = point.aux[i]
      // A function that brings nothing along leaves these symbols as they are.
      if (i >= point.aux.length) continue
      if (scalar === null || scalar === undefined) this.#default(symbol, values)
      else values.set(symbol.name, scalar)
    }
  }

  #default(symbol: Symbol, values: Map<string, Scalar>): void {
    if (this.#fill.kind === 'previous') return
    values.set(symbol.name, this.#fill.kind === 'number' ? castTo(this.#fill.value, symbol.type) : null)
  }
}
