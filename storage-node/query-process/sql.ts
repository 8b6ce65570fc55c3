import type { FieldType } from '../engine/reader.ts'
import type { DeletedArea } from '../engine/tombstones.ts'
import type { NamedColumn, ReadJob, SourceFile } from './messages.ts'

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

/**
 * Asks, for each float column, whether all its values are whole numbers that an INTEGER holds without loss. Minus zero
 * is not one of them.
 */
export function wholeNumbers(table: string, columns: readonly string[]): string {
  const tests = columns.map(
    (name) =>
      `coalesce(bool_and(${name} = trunc(${name}) AND abs(${name}) <= 2147483647 AND NOT (${name} = 0 AND signbit(${name}))), false)`,
  )
  return `SELECT ${tests.join(', ')} FROM ${table}`
}

/** Without strings the dictionary is off: it costs more than it saves for times and numbers. */
export function copyToParquet(
  table: string,
  columns: readonly NamedColumn[],
  whole: ReadonlySet<string>,
  path: string,
  keyName: string,
): string {
  const list = columns.map(({ name }) => (whole.has(name) ? `${name}::INTEGER AS ${name}` : name))
  const dictionary = columns.some(({ type }) => type === 'string') ? '' : ', DICTIONARY_SIZE_LIMIT 1'
  return (
    `COPY (SELECT ${list.join(', ')} FROM ${table}) TO ${quoteText(path)} (FORMAT parquet, PARQUET_VERSION V2, ` +
    `COMPRESSION zstd, ROW_GROUP_SIZE 20480${dictionary}, ENCRYPTION_CONFIG {footer_key: ${quoteText(keyName)}})`
  )
}

/** Rows of all files in the order of the wanted series, time, and order of files. */
export function selectRows(job: ReadJob, keyName: KeyName): string {
  const minSeries = job.seriesIds.reduce((a, b) => Math.min(a, b))
  const maxSeries = job.seriesIds.reduce((a, b) => Math.max(a, b))
  const sources = job.files.map((file) => rowsOfFile(job, file, [minSeries, maxSeries], keyName))
  const names = job.columns.map(({ name }) => name).join(', ')
  const wanted = job.seriesIds.map((id, index) => `(${id}::UINTEGER, ${index}::UINTEGER)`).join(', ')
  return (
    `SELECT series, time, ${names} FROM (${sources.join(' UNION ALL ')}) AS source ` +
    `JOIN (VALUES ${wanted}) AS wanted(id, place) ON series = id ORDER BY place, time, position`
  )
}

/**
 * The same rows, and maybe those of series between, file by file and as they stand there: by series and time. Nothing
 * but scans and unions: a join, as which DuckDB runs a list of series, would give them in any order.
 */
export function selectRowsAsTheyStand(job: ReadJob, keyName: KeyName): string {
  const names = job.columns.map(({ name }) => name).join(', ')
  const ranges = seriesRanges(job.seriesIds)
  const sources = job.files.flatMap((file) => {
    const inFile = ranges.filter(([first, last]) => first <= file.maxSeries && last >= file.minSeries)
    const scans = inFile.length > 0 ? inFile : ranges.slice(0, 1)
    return scans.map((range) => rowsOfFile(job, file, range, keyName))
  })
  return `SELECT series, time, ${names} FROM (${sources.join(' UNION ALL ')}) AS source`
}

type KeyName = (path: string) => string
type SeriesRange = readonly [first: number, last: number]

/** A scan costs about as much as reading so many series more. */
const worthwhileGap = 5
const maxRanges = 16

/** Ranges with all wanted series, which leave the largest gaps out. */
function seriesRanges(seriesIds: readonly number[]): readonly SeriesRange[] {
  const ids = Uint32Array.from(seriesIds).sort()
  const ranges: [number, number][] = []
  for (const id of ids) {
    const last = ranges.at(-1)
    if (last && id - last[1] <= worthwhileGap) last[1] = id
    else ranges.push([id, id])
  }
  return ranges.length <= maxRanges ? ranges : [[ids[0]!, ids.at(-1)!]]
}

function rowsOfFile(job: ReadJob, file: SourceFile, [first, last]: SeriesRange, keyName: KeyName): string {
  const has = new Set(file.columns)
  const fields = job.columns.map(({ name, type }) =>
    has.has(name) ? `${name}::${sqlTypes[type]} AS ${name}` : `NULL::${sqlTypes[type]} AS ${name}`,
  )
  const any = job.columns.filter(({ name }) => has.has(name)).map(({ name }) => `${name} IS NOT NULL`)
  return (
    `SELECT series, time, ${file.order} AS position, ${fields.join(', ')} ` +
    `FROM read_parquet(${quoteText(file.path)}, encryption_config = {footer_key: ${quoteText(keyName(file.path))}}) ` +
    `WHERE series BETWEEN ${first} AND ${last} ` +
    `AND time BETWEEN ${sqlInt64(job.minTimeNs)} AND ${sqlInt64(job.maxTimeNs)} AND (${any.join(' OR ')})${withoutDeleted(file.deleted)}`
  )
}

/** What a WHERE clause over the rows of one file ends with, so that deleted ones do not appear. */
export function withoutDeleted(areas: readonly DeletedArea[]): string {
  return areas.map((area) => ` AND NOT (${inArea(area)})`).join('')
}

function inArea({ series, minTimeNs, maxTimeNs }: DeletedArea): string {
  const time = `time BETWEEN ${sqlInt64(minTimeNs)} AND ${sqlInt64(maxTimeNs)}`
  if (series === null) return time
  const single: number[] = []
  const tests: string[] = []
  for (let index = 0; index < series.length; index += 2) {
    const [first, last] = [series[index]!, series[index + 1]!]
    if (first === last) single.push(first)
    else tests.push(`series BETWEEN ${first} AND ${last}`)
  }
  if (single.length > 0) tests.push(`series IN (${single.join(', ')})`)
  return `${time} AND (${tests.join(' OR ')})`
}

/** The smallest int64 is no literal in SQL: its digits overflow before the minus counts. */
const sqlInt64 = (value: bigint): string => `${quoteText(String(value))}::BIGINT`
