import type { Series } from '../../engine/reader.ts'

const escapeTag = (text: string): string => text.replaceAll(/[,= ]/g, '\\$&')

/** A series as line protocol writes it: `cpu,host=a,region=eu`. */
export function seriesKey(series: Series): string {
  const tags = [...series.tags].map(([key, value]) => `,${escapeTag(key)}=${escapeTag(value)}`)
  return series.measurement.replaceAll(/[, ]/g, '\\$&') + tags.join('')
}
