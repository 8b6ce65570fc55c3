import { TableBuffer } from '../buffer/table-buffer.ts'
import type { StoredFile } from '../files/file-store.ts'
import { Catalog } from './catalog.ts'
import type { MeasurementSchema } from './reader.ts'

/** Buffers by retention policy, then by measurement. */
export type Buffers = Map<string, Map<string, TableBuffer>>

/** What the node holds of one database outside files. */
export class StoredDatabase {
  readonly id: string
  readonly catalog: Catalog
  /** Another one each time that the database comes again, and its series' numbers begin anew. */
  readonly generation = Symbol('generation')
  /** Points after the last freeze. */
  active: Buffers = new Map()
  /** Points on their way into files; nothing is added to them. */
  frozen: Buffers | null = null

  constructor(id: string, catalog: Catalog = new Catalog()) {
    this.id = id
    this.catalog = catalog
  }

  buffer(retentionPolicy: string, measurement: string): TableBuffer {
    let tables = this.active.get(retentionPolicy)
    if (!tables) {
      tables = new Map()
      this.active.set(retentionPolicy, tables)
    }
    let table = tables.get(measurement)
    if (!table) {
      table = new TableBuffer()
      tables.set(measurement, table)
    }
    return table
  }

  /** Buffers that hold points of a measurement, older first. */
  buffersOf(retentionPolicy: string, measurement: string): TableBuffer[] {
    return [this.frozen, this.active]
      .map((buffers) => buffers?.get(retentionPolicy)?.get(measurement))
      .filter((table) => table !== undefined)
  }

  /** Those that hold points in buffers or in files, sorted by name. */
  measurements(files: readonly StoredFile[]): readonly MeasurementSchema[] {
    const names = new Set<string>()
    for (const { measurement } of allTables(this.frozen)) names.add(measurement)
    for (const { measurement } of allTables(this.active)) names.add(measurement)
    for (const { entry } of files) if (entry.databaseId === this.id) names.add(entry.measurement)
    return [...names]
      .sort()
      .map((name) => this.catalog.schema(name))
      .filter((schema) => schema !== null)
  }
}

export function* allTables(
  buffers: Buffers | null,
): Generator<{ retentionPolicy: string; measurement: string; table: TableBuffer }> {
  for (const [retentionPolicy, tables] of buffers ?? [])
    for (const [measurement, table] of tables) yield { retentionPolicy, measurement, table }
}

/** Series of all databases but this one. */
export function seriesBeside(
  databases: ReadonlyMap<string, StoredDatabase>,
  database: StoredDatabase,
): number {
  let count = 0
  for (const other of databases.values()) if (other !== database) count += other.catalog.liveSeriesCount
  return count
}
