/** Where the series of a file stand: its rows come by series and time. */
export interface Directory {
  /** Ascending. */
  readonly ids: Uint32Array
  /** Of each series the row after its last one. */
  readonly ends: Uint32Array
  readonly rowCount: number
  readonly sizeBytes: number
}

/** A range of rows of a file: `end` is not in it. */
export interface RowRange {
  readonly from: number
  readonly end: number
}

/**
 * Reads a directory off the series of all rows, a piece after the other.
 * @throws Error if they do not ascend
 */
export function directoryOf(pieces: Iterable<Uint32Array>): Directory {
  const ids: number[] = []
  const ends: number[] = []
  let rowCount = 0
  let last = -1
  for (const series of pieces) {
    for (const id of series) {
      if (id !== last) {
        if (id < last) throw new Error('the series of a file do not ascend')
        if (last >= 0) ends.push(rowCount)
        ids.push(id)
        last = id
      }
      rowCount++
    }
  }
  if (last >= 0) ends.push(rowCount)
  return { ids: Uint32Array.from(ids), ends: Uint32Array.from(ends), rowCount, sizeBytes: 8 * ids.length }
}

/** @returns null for a series that the file does not have */
export function rowsOfSeries({ ids, ends }: Directory, seriesId: number): RowRange | null {
  let low = 0
  let high = ids.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ids[middle]! < seriesId) low = middle + 1
    else high = middle
  }
  if (ids[low] !== seriesId) return null
  return { from: low === 0 ? 0 : ends[low - 1]!, end: ends[low]! }
}
