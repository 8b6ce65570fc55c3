import type { BatchTable } from '../line-protocol/batch.ts'
import type { FieldEntry } from './catalog.ts'
import { maxProblems, type WriteOutcome, type WriteProblem, type WriteProblemKind } from './outcome.ts'
import type { WriteLimits, WriteRecord } from './record.ts'
import type { StoredDatabase } from './stored-database.ts'

/**
 * Puts the points of a durable record into the buffers and decides which of them cannot be: the same decision each time
 * the record is replayed, since it depends on the record and on the records before it only.
 * @param otherSeries series of the organization's other databases
 */
export function applyWrite(database: StoredDatabase, record: WriteRecord, otherSeries: number): WriteOutcome {
  const problems = new Problems()
  let accepted = 0
  for (const table of record.tables)
    accepted += new TableWrite(database, record, otherSeries, table, problems).apply()
  return { accepted, problems: problems.list }
}

class Problems {
  readonly #byMessage = new Map<string, { kind: WriteProblemKind; message: string; dropped: number }>()

  add(kind: WriteProblemKind, message: string): void {
    const known = this.#byMessage.get(message)
    if (known) known.dropped++
    else if (this.#byMessage.size < maxProblems) this.#byMessage.set(message, { kind, message, dropped: 1 })
    else [...this.#byMessage.values()].at(-1)!.dropped++
  }

  get list(): readonly WriteProblem[] {
    return [...this.#byMessage.values()]
  }
}

/** Each takes some kilobytes, whatever it holds. */
const maxMeasurements = 10_000
const unknown = 0xffffffff

class TableWrite {
  readonly #database: StoredDatabase
  readonly #record: WriteRecord
  readonly #limits: WriteLimits
  readonly #otherSeries: number
  readonly #table: BatchTable
  readonly #problems: Problems
  /** Series id for each series of the batch, as far as there is one. */
  readonly #ids: Uint32Array
  /** The field for each column of the batch, as far as there is one. */
  readonly #fields: (FieldEntry | undefined)[]
  /** All columns have their fields, of the same type. */
  #knowsFields = false

  constructor(
    database: StoredDatabase,
    record: WriteRecord,
    otherSeries: number,
    table: BatchTable,
    problems: Problems,
  ) {
    this.#database = database
    this.#record = record
    this.#limits = record.limits
    this.#otherSeries = otherSeries
    this.#table = table
    this.#problems = problems
    const { catalog } = database
    this.#ids = Uint32Array.from(table.series, ({ key }) => catalog.seriesId(key) ?? unknown)
    const known = catalog.measurement(table.measurement)?.fields
    this.#fields = table.columns.map(({ name }) => known?.get(name))
    this.#noteFields()
  }

  #noteFields(): void {
    this.#knowsFields = this.#table.columns.every(({ type }, index) => this.#fields[index]?.type === type)
  }

  /** @returns how many points were stored */
  apply(): number {
    const accepted = this.#nothingToDecide() ? null : this.#acceptedRows()
    const count = accepted?.length ?? this.#table.rowCount
    // All of them at once are copied by the column.
    const rows = count === this.#table.rowCount ? null : accepted
    if (count === 0) return 0
    const buffer = this.#database.buffer(this.#record.retentionPolicy, this.#table.measurement)
    const { columns } = this.#table
    // A column none of whose points was accepted has no field.
    const kept = columns.filter((_, index) => this.#fields[index]?.type === columns[index]!.type)
    const numbers = this.#fields
      .filter((field, index) => field?.type === columns[index]!.type)
      .map((field) => field!.number)
    buffer.append({ ...this.#table, columns: kept }, this.#ids, numbers, rows)
    return count
  }

  /** The common case: all series and fields are known, of the same type, and no point is too old. */
  #nothingToDecide(): boolean {
    const { times, rowCount } = this.#table
    if (this.#ids.includes(unknown) || !this.#knowsFields) return false
    const cutoffNs = this.#record.cutoffNs
    if (cutoffNs === null) return true
    for (let row = 0; row < rowCount; row++) if (times[row]! < cutoffNs) return false
    return true
  }

  #acceptedRows(): number[] {
    const rows: number[] = []
    for (let row = 0; row < this.#table.rowCount; row++) if (this.#accept(row)) rows.push(row)
    return rows
  }

  #accept(row: number): boolean {
    const { cutoffNs } = this.#record
    const refusal =
      cutoffNs !== null && this.#table.times[row]! < cutoffNs
        ? (['outside-retention', 'points beyond retention policy'] as const)
        : (this.#seriesRefusal(row) ?? this.#fieldRefusal(row))
    if (refusal) {
      this.#problems.add(...refusal)
      return false
    }
    this.#create(row)
    return true
  }

  #seriesRefusal(row: number): readonly [WriteProblemKind, string] | null {
    if (this.#ids[this.#table.seriesOfRow[row]!] !== unknown) return null
    const { databaseSeries, organizationSeries } = this.#limits
    const { catalog } = this.#database
    if (catalog.measurementCount >= maxMeasurements && !catalog.measurement(this.#table.measurement))
      return ['limit', `max-measurements-per-database limit exceeded: (${maxMeasurements})`]
    const count = catalog.liveSeriesCount
    if (databaseSeries !== null && count >= databaseSeries)
      return ['limit', `max-series-per-database limit exceeded: (${databaseSeries})`]
    if (organizationSeries !== null && count + this.#otherSeries >= organizationSeries)
      return ['limit', `max-series-per-organization limit exceeded: (${organizationSeries})`]
    return null
  }

  #fieldRefusal(row: number): readonly [WriteProblemKind, string] | null {
    if (this.#knowsFields) return null
    const { measurement, columns } = this.#table
    const known = this.#database.catalog.measurement(measurement)?.fields
    const created = new Map<string, string>()
    for (const { name, type, present } of columns) {
      if (present && present[row] === 0) continue
      const existing = known?.get(name)?.type ?? created.get(name)
      if (existing === undefined) created.set(name, type)
      else if (existing !== type) {
        return [
          'type-conflict',
          `field type conflict: input field "${name}" on measurement "${measurement}" is type ${type}, already exists as type ${existing}`,
        ]
      }
    }
    const limit = this.#limits.fieldsPerMeasurement
    return created.size > 0 && (known?.size ?? 0) + created.size > limit
      ? ['limit', `max-fields-per-measurement limit exceeded: (${limit}) on measurement "${measurement}"`]
      : null
  }

  #create(row: number): void {
    const { measurement, columns, seriesOfRow } = this.#table
    const { catalog } = this.#database
    const series = seriesOfRow[row]!
    if (this.#ids[series] === unknown) {
      // Two spellings of one key are two series of the batch.
      const { key } = this.#table.series[series]!
      this.#ids[series] = catalog.seriesId(key) ?? catalog.addSeries(key)
    }
    if (this.#knowsFields) return
    for (const [index, { name, type, present }] of columns.entries()) {
      if (this.#fields[index]?.type === type || (present && present[row] === 0)) continue
      const known = catalog.measurement(measurement)?.fields.get(name)
      this.#fields[index] = known ?? catalog.addField(measurement, name, type)
    }
    this.#noteFields()
  }
}
