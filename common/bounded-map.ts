/** Makes room for one more entry: forgets the oldest of a map that holds `limit`. */
export function withRoom<Key, Value>(map: Map<Key, Value>, limit: number): Map<Key, Value> {
  const [oldest] = map.keys()
  if (map.size >= limit && oldest !== undefined) map.delete(oldest)
  return map
}
