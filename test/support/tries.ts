/** Any: what holds for all values holds for those that it makes. Kept, so that a change is judged by what it changes. */
const usualSeed = 20_260

const environment = (name: string): number | null => {
  const text = process.env[name]
  if (text === undefined || text === '') return null
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new Error(`${name}: "${text}" is not a whole number, 1 to 999999999`)
}

/**
 * How often and with which values a property is tried, for `fc.assert`. `make test` tries the same values every time;
 * `make soak` sets HOLDFAST_TRIES, a factor for the number of tries, and HOLDFAST_TRIES_SEED, so that it tries others each time.
 */
export function tries(count = 100): { readonly numRuns: number; readonly seed: number } {
  return {
    numRuns: count * (environment('HOLDFAST_TRIES') ?? 1),
    seed: environment('HOLDFAST_TRIES_SEED') ?? usualSeed,
  }
}
