import type { TableBuffer } from './table-buffer.ts'

const zoneRows = 4_096

/** The least and the greatest time of each `zoneRows` rows of a buffer, made as the buffer grows. */
class TimeZones {
  #rows = 0
  readonly #min: bigint[] = []
  readonly #max: bigint[] = []

  grow({ times, rowCount }: TableBuffer): void {
    for (; this.#rows < rowCount; this.#rows++) {
      const time = times[this.#rows]!
      const zone = Math.floor(this.#rows / zoneRows)
      if (zone === this.#min.length) {
        this.#min.push(time)
        this.#max.push(time)
      } else if (time < this.#min[zone]!) this.#min[zone] = time
      else if (time > this.#max[zone]!) this.#max[zone] = time
    }
  }

  *within(minTimeNs: bigint, maxTimeNs: bigint): Generator<Zone> {
    for (let zone = 0; zone < this.#min.length; zone++) {
      const [min, max] = [this.#min[zone]!, this.#max[zone]!]
      if (min > maxTimeNs || max < minTimeNs) continue
      const from = zone * zoneRows
      yield { from, end: Math.min(from + zoneRows, this.#rows), minTimeNs: min, maxTimeNs: max }
    }
  }
}

/** Rows `from` to `end` of a buffer, with the least and the greatest of their times. */
export interface Zone {
  readonly from: number
  readonly end: number
  readonly minTimeNs: bigint
  readonly maxTimeNs: bigint
}

const known = new WeakMap<TableBuffer, TimeZones>()

/** The parts of a buffer that may have rows in a range of times, which is inclusive. */
export function zonesWithin(table: TableBuffer, minTimeNs: bigint, maxTimeNs: bigint): Iterable<Zone> {
  let zones = known.get(table)
  if (!zones) {
    zones = new TimeZones()
    known.set(table, zones)
  }
  zones.grow(table)
  return zones.within(minTimeNs, maxTimeNs)
}
