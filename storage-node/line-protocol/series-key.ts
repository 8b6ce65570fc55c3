type Tags = readonly (readonly [key: string, value: string])[]

/** What identifies a series: measurement and sorted tags, as JSON, so that no name can run into the next. */
export function seriesKey(measurement: string, tags: Tags): string {
  return JSON.stringify([measurement, ...tags.flat()])
}

/** Measurement, then keys and values of the tags by turns. */
export function namesOfKey(key: string): string[] {
  // Where nothing is escaped, all quotes are those around names.
  return key.includes('\\') ? (JSON.parse(key) as string[]) : key.slice(2, -2).split('","')
}

/** The other way round: sorted by key. */
export function tagsOfKey(key: string): Tags {
  const [, ...flat] = namesOfKey(key)
  return Array.from(
    { length: flat.length / 2 },
    (_, index) => [flat[index * 2]!, flat[index * 2 + 1]!] as const,
  )
}
