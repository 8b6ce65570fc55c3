import type { FieldType } from '../engine/reader.ts'
import type { RowRange } from './directory.ts'
import type { NamedColumn, SourceFile } from './messages.ts'

/** SQL text for the query process. Names are the engine's own (`series`, `time`, `f0`), never a user's. */

export const quoteText = (text: string): string => `'${text.replaceAll("'", "''")}'`

const sqlTypes: Readonly<Record<FieldType, string>> = {
  float: 'DOUBLE',
  integer: 'BIGINT',
  unsigned: 'UBIGINT',
  boolean: 'BOOLEAN',
  string: 'VARCHAR',
}

export function createTable(name: string, columns: readonly NamedColumn[]): string {
  const list = columns.map(({ name, type }) => `${name} ${type === 'series' ? 'UINTEGER' : sqlTypes[type]}`)
  return `CREATE TABLE ${name} (${list.join(', ')})`
}

/** The tables `name_0`, `name_1` and so on as one, `name`: their rows one after the other. */
export function uniteTables(name: string, count: number): string {
  const parts = Array.from({ length: count }, (_, index) => `SELECT * FROM ${name}_${index}`)
  return `CREATE TEMPORARY VIEW ${name} AS ${parts.join(' UNION ALL ')}`
}

/** The writer of a file holds the rows of a group, and sets the room for the dictionary of each string column aside. */
const maxGroupRows = 20_480
const minGroupRows = 2_048
const groupCells = 1_048_576
const maxDictionaryBytes = 1_048_576
const dictionariesBytes = 16 * 1_048_576

/** Without strings the dictionary is off: it costs more than it saves for times and numbers. */
export function copyToParquet(
  table: string,
  columns: readonly NamedColumn[],
  whole: ReadonlySet<string>,
  path: string,
  keyName: string,
): string {
  const list = columns.map(({ name }) => (whole.has(name) ? `${name}::INTEGER AS ${name}` : name))
  const strings = columns.filter(({ type }) => type === 'string').length
  const dictionary =
    strings === 0
      ? ', DICTIONARY_SIZE_LIMIT 1'
      : `, STRING_DICTIONARY_PAGE_SIZE_LIMIT ${Math.min(maxDictionaryBytes, Math.floor(dictionariesBytes / strings))}`
  const groupRows = Math.min(maxGroupRows, Math.max(minGroupRows, Math.floor(groupCells / columns.length)))
  return (
    `COPY (SELECT ${list.join(', ')} FROM ${table}) TO ${quoteText(path)} (FORMAT parquet, PARQUET_VERSION V2, ` +
    `COMPRESSION zstd, ROW_GROUP_SIZE ${groupRows}${dictionary}, ENCRYPTION_CONFIG {footer_key: ${quoteText(keyName)}})`
  )
}

/** The series of all rows of a file, in its order. */
export const selectSeries = (file: SourceFile, keyName: string): string =>
  `SELECT series FROM ${parquet(file, keyName)}`

/** Columns of some rows of a file, in its order. Row groups outside of the range are not even decrypted. */
export function selectRange(
  file: SourceFile,
  columns: readonly { readonly name: string; readonly type: FieldType }[],
  { from, end }: RowRange,
  keyName: string,
): string {
  const list = columns.map(({ name, type }) => `${name}::${sqlTypes[type]} AS ${name}`)
  return `SELECT ${list.join(', ')} FROM ${parquet(file, keyName)} WHERE file_row_number BETWEEN ${from} AND ${end - 1}`
}

const parquet = ({ path }: SourceFile, keyName: string): string =>
  `read_parquet(${quoteText(path)}, file_row_number = true, encryption_config = {footer_key: ${quoteText(keyName)}})`
