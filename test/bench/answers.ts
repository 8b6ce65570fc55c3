/** Where two answers part; null where they are the same: floats to 1e-9 of their size, rows in any order. */
export function difference(ours: unknown, theirs: unknown, path = '$'): string | null {
  if (typeof ours === 'number' && typeof theirs === 'number') {
    const scale = Math.max(Math.abs(ours), Math.abs(theirs))
    return Math.abs(ours - theirs) <= scale * 1e-9 ? null : `${path}: ${ours} and ${theirs}`
  }
  if (Array.isArray(ours) && Array.isArray(theirs)) {
    if (ours.length !== theirs.length) return `${path}: ${ours.length} and ${theirs.length} entries`
    const [left, right] = path.endsWith('.values') ? [sorted(ours), sorted(theirs)] : [ours, theirs]
    return first(left.keys(), (index) => difference(left[index], right[index], `${path}[${index}]`))
  }
  if (isRecord(ours) && isRecord(theirs)) {
    const keys = new Set([...Object.keys(ours), ...Object.keys(theirs)])
    return first(keys, (key) => difference(ours[key], theirs[key], `${path}.${key}`))
  }
  return ours === theirs ? null : `${path}: ${JSON.stringify(ours)} and ${JSON.stringify(theirs)}`
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Rows of equal time may come in any order. */
function sorted(rows: readonly unknown[]): readonly unknown[] {
  return rows
    .map((row) => ({ row, text: JSON.stringify(row) }))
    .toSorted((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0))
    .map(({ row }) => row)
}

function first<T>(keys: Iterable<T>, find: (key: T) => string | null): string | null {
  for (const key of keys) {
    const found = find(key)
    if (found !== null) return found
  }
  return null
}

/** Whether an answer holds any value, of InfluxQL or of VictoriaMetrics. */
export const hasValues = (answer: string): boolean => /"values?":\[/.test(answer)

/** The error in an answer 200 of InfluxQL; null if there is none. */
export const errorOf = (answer: string): string | null => /"error":"([^"]*)"/.exec(answer)?.[1] ?? null
