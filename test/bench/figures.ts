/** Middle of the sorted numbers; NaN of none. */
export const median = (numbers: readonly number[]): number => quantile(numbers, 0.5)

/** The number below which a share of them lies (0.99 for p99), by nearest rank. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export const spreadOf = (numbers: readonly number[]): Spread => ({
  median: median(numbers),
  min: Math.min(...numbers),
  max: Math.max(...numbers),
})

/** As many digits as say something: 261244, 26.1, 2.61. */
export const short = (number: number): string => number.toFixed(number < 10 ? 2 : number < 100 ? 1 : 0)

export const withRange = ({ median, min, max }: Spread): string =>
  `${short(median)} (${short(min)} to ${short(max)})`

export const mebibytes = (bytes: number | null): string =>
  bytes === null ? 'not measured' : short(bytes / 1024 / 1024)
