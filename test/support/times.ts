/** The middle one of some times, the mean of the two middle ones for an even number. */
export function medianMs(timesMs: readonly number[]): number {
  const sorted = timesMs.toSorted((a, b) => a - b)
  const half = Math.floor(sorted.length / 2)
  const [below, above] = [sorted[sorted.length % 2 === 0 ? half - 1 : half], sorted[half]]
  if (below === undefined || above === undefined) throw new Error('no times')
  return (below + above) / 2
}

export const secondsOf = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`

/** Measured times as a test prints them, beside the limit of their median. */
export const timesText = (timesMs: readonly number[], limitMs: number): string =>
  `p50 ${secondsOf(medianMs(timesMs))} (limit ${secondsOf(limitMs)}) of ${timesMs.map(secondsOf).join(', ')}`
