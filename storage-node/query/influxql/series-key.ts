import type { Series } from '../../engine/reader.ts'

const special = /[,= ]/
const escapeTag = (text: string): string =>
  special.test(text) ? text.replaceAll(/[,= ]/g, String.raw`\$&`) : text

/** A series as line protocol writes it: `cpu,host=a,region=eu`. In one piece: of many pieces it takes three times the memory. */
export function seriesKey(series: Series): string {
  const parts = [series.measurement.replaceAll(/[, ]/g, String.raw`\$&`)]
  for (const [name, value] of series.tags) parts.push(`${escapeTag(name)}=${escapeTag(value)}`)
  return parts.join(',')
}
