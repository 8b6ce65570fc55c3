import type { Series } from '../../engine/reader.ts'

const special = /[,= ]/
const escapeTag = (text: string): string =>
  special.test(text) ? text.replaceAll(/[,= ]/g, String.raw`\$&`) : text

/** A series as line protocol writes it: `cpu,host=a,region=eu`. */
export function seriesKey(series: Series): string {
  let key = series.measurement.replaceAll(/[, ]/g, String.raw`\$&`)
  for (const [name, value] of series.tags) key += `,${escapeTag(name)}=${escapeTag(value)}`
  return key
}
