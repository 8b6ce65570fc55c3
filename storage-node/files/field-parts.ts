import type { RowContents } from './file-fields.ts'
import type { PlannedFile } from './layout.ts'
import { maxFieldsPerFile, maxStringBytesPerFile } from './manifest.ts'

const cellsPerTurn = 65_536

interface Part {
  readonly fields: number[]
  readonly rows: number[]
  stringBytes: number
}

/**
 * A file with more fields, or longer strings in one point, than the query process can gather becomes several of the same
 * rows, each with some of the fields and those rows that have one of them. `null` is a turn for others.
 */
export function* fieldParts(contents: RowContents, planned: PlannedFile): Generator<PlannedFile | null> {
  const { rows, fields, stringBytes } = planned
  if (fields.length <= maxFieldsPerFile && stringBytes <= maxStringBytesPerFile) {
    yield planned
    return
  }
  const bytesOf = new Map<number, number>()
  yield* visitCells(contents, rows, (field, row) => {
    bytesOf.set(field, (bytesOf.get(field) ?? 0) + contents.textBytesOf(field, row))
  })
  const parts = partsOf(fields, bytesOf)
  const partOf = new Map(parts.flatMap((part) => part.fields.map((field) => [field, part] as const)))
  yield* visitCells(contents, rows, (field, row) => {
    const part = partOf.get(field)!
    if (part.rows.at(-1) !== row) part.rows.push(row)
  })
  for (const part of parts) if (part.rows.length > 0) yield { ...part, rows: Int32Array.from(part.rows) }
}

function partsOf(fields: readonly number[], bytesOf: ReadonlyMap<number, number>): Part[] {
  let part: Part = { fields: [], rows: [], stringBytes: 0 }
  const parts = [part]
  for (const field of fields) {
    const bytes = bytesOf.get(field) ?? 0
    const isFull = part.fields.length >= maxFieldsPerFile || part.stringBytes + bytes > maxStringBytesPerFile
    if (isFull && part.fields.length > 0) {
      part = { fields: [], rows: [], stringBytes: 0 }
      parts.push(part)
    }
    part.fields.push(field)
    part.stringBytes += bytes
  }
  return parts
}

/** Shows each row with each field of which it may have a value, row by row. */
function* visitCells(
  contents: RowContents,
  rows: Int32Array,
  visit: (field: number, row: number) => void,
): Generator<null> {
  let sinceTurn = 0
  for (const row of rows) {
    const rare = contents.rareFields(row)
    for (const field of contents.common) visit(field, row)
    for (const field of rare) visit(field, row)
    sinceTurn += contents.common.length + rare.length
    if (sinceTurn < cellsPerTurn) continue
    sinceTurn = 0
    yield null
  }
}
