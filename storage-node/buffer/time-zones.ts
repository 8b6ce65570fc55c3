import type { TableBuffer } from './table-buffer.ts'
import { compareTimes, timeWords } from './time-order.ts'

const zoneRows = 4_096

/** The rows with the least and the greatest time of each `zoneRows` rows of a buffer, found as the buffer grows. */
class TimeZones {
  #rows = 0
  readonly #least: number[] = []
  readonly #greatest: number[] = []

  grow({ times, rowCount }: TableBuffer): void {
    const words = timeWords(times)
    while (this.#rows < rowCount) {
      const zone = Math.floor(this.#rows / zoneRows)
      const end = Math.min((zone + 1) * zoneRows, rowCount)
      let least = this.#least[zone] ?? this.#rows
      let greatest = this.#greatest[zone] ?? this.#rows
      for (let row = this.#rows; row < end; row++) {
        if (compareTimes(words, row, least) < 0) least = row
        if (compareTimes(words, row, greatest) > 0) greatest = row
      }
      this.#least[zone] = least
      this.#greatest[zone] = greatest
      this.#rows = end
    }
  }

  within({ times }: TableBuffer, minTimeNs: bigint, maxTimeNs: bigint): readonly Zone[] {
    const zones: Zone[] = []
    for (let zone = 0; zone < this.#least.length; zone++) {
      const [min, max] = [times[this.#least[zone]!]!, times[this.#greatest[zone]!]!]
      if (min > maxTimeNs || max < minTimeNs) continue
      const from = zone * zoneRows
      const end = Math.min(from + zoneRows, this.#rows)
      zones.push({ from, end, minTimeNs: min, maxTimeNs: max })
    }
    return zones
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

/** The parts of a buffer, as it is now, that may have rows in a range of times, which is inclusive. */
export function zonesWithin(table: TableBuffer, minTimeNs: bigint, maxTimeNs: bigint): readonly Zone[] {
  let zones = known.get(table)
  if (!zones) {
    zones = new TimeZones()
    known.set(table, zones)
  }
  zones.grow(table)
  return zones.within(table, minTimeNs, maxTimeNs)
}
