import type { DataType } from './ast.ts'

const ranks: Readonly<Record<DataType, number>> = {
  unknown: 0,
  float: 1,
  integer: 2,
  unsigned: 2.5,
  string: 3,
  boolean: 4,
  time: 5,
  duration: 6,
  tag: 7,
  field: 8,
}

/** Of two types that one name has in several places, the one that it is read as: float before integer before string. */
export function dominant(a: DataType, b: DataType): DataType {
  if (a === 'unknown') return b
  return b !== 'unknown' && ranks[b] < ranks[a] ? b : a
}

/** Order among references of one name. */
export function compareTypes(a: DataType, b: DataType): number {
  const position = (type: DataType): number => (type === 'unsigned' ? 9 : ranks[type])
  return position(a) - position(b)
}
