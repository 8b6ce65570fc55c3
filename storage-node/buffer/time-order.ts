/**
 * The order of rows by time. Times are compared, sorted and searched as words of the memory that they stand in: a bigint
 * for each look at a time would hold up everything else for seconds. Little-endian, as every platform of Node.
 */

/** Pairs of 32-bit words, for `compareTimes`. */
export const timeWords = (times: BigInt64Array): Int32Array =>
  new Int32Array(times.buffer, times.byteOffset, times.length * 2)

/** @returns negative, zero or positive, as the time of row `a` is before, at or after that of row `b` */
export function compareTimes(words: Int32Array, a: number, b: number): number {
  return words[2 * a + 1]! - words[2 * b + 1]! || (words[2 * a]! >>> 0) - (words[2 * b]! >>> 0)
}

/** A time as it is compared with those of rows: its upper 32 bits with their sign, the lower ones without. */
export interface SplitTime {
  readonly upper: number
  readonly lower: number
}

/** @param timeNs also the one after the last that a row can have */
export const splitTime = (timeNs: bigint): SplitTime => ({
  upper: Number(timeNs >> 32n),
  lower: Number(BigInt.asUintN(32, timeNs)),
})

export function isBefore(words: Int32Array, row: number, { upper, lower }: SplitTime): boolean {
  const own = words[2 * row + 1]!
  return own < upper || (own === upper && words[2 * row]! >>> 0 < lower)
}

/**
 * Looks where it is likely to be, then in growing steps, so that what is near is found soon.
 * @param words of rows whose times rise
 * @returns the first row from `from` on that is not before a time; `end` if all are
 */
export function firstNotBefore(
  words: Int32Array,
  from: number,
  end: number,
  time: SplitTime,
  likely = from,
): number {
  if (likely > from && likely <= end && isBefore(words, likely - 1, time))
    if (likely === end || !isBefore(words, likely, time)) return likely
  let low = from
  let step = 1
  while (low + step <= end && isBefore(words, low + step - 1, time)) {
    low += step
    step *= 2
  }
  let high = Math.min(low + step - 1, end)
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBefore(words, middle, time)) low = middle + 1
    else high = middle
  }
  return low
}

const fewRows = 4096
const digits = 4
const radix = 65_536
const signBit = 0x8000

/**
 * Sorts rows by time; rows of one time stay as they stand. Many rows take one pass for each 16 bits in which times
 * differ, with a turn for others (`yield`) after each.
 * @returns the sorted rows, maybe in the memory of `rows`
 */
export function* inTimeOrder(rows: Int32Array, times: BigInt64Array): Generator<undefined, Int32Array> {
  if (rows.length < fewRows) {
    const words = timeWords(times)
    return rows.sort((a, b) => compareTimes(words, a, b))
  }
  const halfWords = new Uint16Array(times.buffer, times.byteOffset, times.length * 4)
  let from: Int32Array = rows
  let to: Int32Array = new Int32Array(rows.length)
  for (let digit = 0; digit < digits; digit++) {
    // Negative times come first.
    const flip = digit === digits - 1 ? signBit : 0
    const places = new Uint32Array(radix)
    for (const row of from) places[halfWords[row * digits + digit]! ^ flip]!++
    yield
    if (places[halfWords[from[0]! * digits + digit]! ^ flip] === from.length) continue
    let place = 0
    for (let value = 0; value < radix; value++) {
      const count = places[value]!
      places[value] = place
      place += count
    }
    for (const row of from) to[places[halfWords[row * digits + digit]! ^ flip]!++] = row
    ;[from, to] = [to, from]
    yield
  }
  return from
}
