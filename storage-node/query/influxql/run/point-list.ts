import { compareScalars, type Scalar } from '../scalar.ts'
import { noAux, type Point } from './point.ts'

/** Up to here they stay as they are; from then on they lie in columns. */
const maxFew = 2_048
const auxBytes = 24
/** A place of each column, some of which wait for more, and what sorting takes. */
const placeBytes = 44
const objectBytes = 48

/** What is kept of a point in a list. */
export function bytesInList({ value, aux }: Point): number {
  let bytes = placeBytes + auxBytes * aux.length + textBytes(value)
  if (typeof value === 'object') bytes += objectBytes
  for (const one of aux) bytes += textBytes(one)
  return bytes
}

export const textBytes = (value: Scalar): number => (typeof value === 'string' ? 2 * value.length : 0)

/** Values, times and values that come along of many points, in a fifth of the memory that they take as objects. */
export class PointList {
  #few: Point[] | null = []
  #length = 0
  #timesNs = new BigInt64Array(0)
  #values: Float64Array | BigInt64Array | Scalar[] = []
  #aux: (readonly Scalar[])[] | null = null

  get length(): number {
    return this.#length
  }

  add(point: Point): void {
    if (this.#few === null) this.#put(point)
    else {
      this.#few.push(point)
      if (this.#few.length > maxFew) this.#toColumns(this.#few)
    }
    this.#length++
  }

  timeNs(index: number): bigint {
    return this.#few ? this.#few[index]!.timeNs : this.#timesNs[index]!
  }

  value(index: number): Scalar {
    return this.#few ? this.#few[index]!.value : this.#values[index]!
  }

  aux(index: number): readonly Scalar[] {
    return this.#few ? this.#few[index]!.aux : (this.#aux?.[index] ?? noAux)
  }

  /** Indexes in the order of the values; equal ones stay as they came. */
  byValue(): Uint32Array {
    const order = new Uint32Array(this.#length)
    for (let index = 0; index < order.length; index++) order[index] = index
    return order.sort((a, b) => compareScalars(this.value(a), this.value(b)))
  }

  #toColumns(few: readonly Point[]): void {
    const kind = typeof few[0]!.value
    this.#timesNs = new BigInt64Array(2 * few.length)
    if (kind === 'number') this.#values = new Float64Array(2 * few.length)
    else if (kind === 'bigint') this.#values = new BigInt64Array(2 * few.length)
    if (few[0]!.aux.length > 0) this.#aux = []
    this.#few = null
    this.#length = 0
    for (const point of few) {
      this.#put(point)
      this.#length++
    }
    // The caller counts the last one.
    this.#length--
  }

  #put({ timeNs, value, aux }: Point): void {
    const at = this.#length
    if (at === this.#timesNs.length) {
      const capacity = Math.ceil(at * 1.5)
      this.#timesNs = grown(this.#timesNs, new BigInt64Array(capacity))
      if (this.#values instanceof Float64Array) this.#values = grown(this.#values, new Float64Array(capacity))
      else if (this.#values instanceof BigInt64Array)
        this.#values = grown(this.#values, new BigInt64Array(capacity))
    }
    const fits = Array.isArray(this.#values) || typeof value === typeof this.#values[0]
    if (!fits) this.#values = Array.from<Scalar>(this.#values)
    this.#timesNs[at] = timeNs
    this.#values[at] = value
    if (this.#aux) this.#aux[at] = aux
  }
}

function grown<A extends Float64Array | BigInt64Array>(from: A, to: A): A {
  ;(to as Float64Array).set(from as Float64Array)
  return to
}
