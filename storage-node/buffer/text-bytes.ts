import type { Column } from '../engine/reader.ts'

type TextColumn = Column & { readonly type: 'string' }

/** Those that hold text. */
export function textColumns(columns: Iterable<Column | null>): TextColumn[] {
  return [...columns].filter((column): column is TextColumn => column?.type === 'string')
}

/** What the texts of a row are as UTF-8. */
export function textBytes(columns: readonly TextColumn[], row: number): number {
  let bytes = 0
  for (const { values, present } of columns)
    if (!present || present[row] === 1) bytes += Buffer.byteLength(values[row]!)
  return bytes
}
