import type { NamedColumn } from './messages.ts'
import { isNarrow, type SentRows } from './sent-rows.ts'

/**
 * Finds out, as rows come, which float columns have only whole numbers that an INTEGER holds without loss. Minus zero is
 * not one of them, and a column without a value is none.
 */
export class WholeColumns {
  readonly #columns: readonly NamedColumn[]
  /** By the place of a column; false once a value was seen that is not whole. */
  readonly #isWhole: boolean[]
  readonly #hasValue: boolean[]

  constructor(columns: readonly NamedColumn[]) {
    this.#columns = columns
    this.#isWhole = columns.map(({ type }) => type === 'float')
    this.#hasValue = columns.map(() => false)
  }

  note({ rowCount, columns }: SentRows): void {
    for (const [index, column] of columns.entries()) {
      if (column.type !== 'float' || !this.#isWhole[index]) continue
      const { present } = column
      if (isNarrow(column)) {
        this.#hasValue[index] ||= rowCount > 0 && (present === null || present.includes(1))
        continue
      }
      for (let row = 0; row < rowCount; row++) {
        if (present && present[row] === 0) continue
        this.#hasValue[index] = true
        if (isWhole(column.values[row]!)) continue
        this.#isWhole[index] = false
        break
      }
    }
  }

  get names(): ReadonlySet<string> {
    const whole = this.#columns.filter((_, index) => this.#isWhole[index] && this.#hasValue[index])
    return new Set(whole.map(({ name }) => name))
  }
}

const isWhole = (value: number): boolean => (value | 0) === value && (value !== 0 || 1 / value > 0)
