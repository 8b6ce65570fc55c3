import { unreachable } from '../../../common/errors.ts'
import type { DataType, Expr, Field, Fill, Measurement, SelectStatement, Source } from './ast.ts'
import { formatDuration } from './duration.ts'
import { formatTime } from '../time.ts'
import { keywordOf } from './token.ts'

/** A name, or several divided by dots, quoted where they must be. */
export function formatIdentifier(...segments: readonly string[]): string {
  const last = segments.length - 1
  return segments
    .map((segment, index) => {
      const quoted =
        !/^[A-Za-z_][A-Za-z0-9_]*$|^$/.test(segment) ||
        keywordOf(segment) !== 'IDENT' ||
        (index < last && segment !== '') ||
        ((index === 0 || index === last) && segment === '')
      const text = segment.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
      return quoted ? `"${text}"` : text
    })
    .join('.')
}

export function formatString(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll("'", "\\'")}'`
}

/** An expression as InfluxDB 1.x prints it. */
export function formatExpr(expr: Expr): string {
  switch (expr.kind) {
    case 'ref':
      return formatIdentifier(expr.name) + castOf(expr.type)
    case 'call':
      return `${expr.name}(${expr.args.map(formatExpr).join(', ')})`
    case 'binary':
      return `${formatExpr(expr.left)} ${expr.operator} ${formatExpr(expr.right)}`
    case 'paren':
      return `(${formatExpr(expr.inner)})`
    case 'distinct':
      return `DISTINCT ${expr.name}`
    case 'wildcard':
      return expr.only === null ? '*' : `*::${expr.only}`
    case 'number':
      return expr.value.toFixed(3)
    case 'integer':
    case 'unsigned':
    case 'boolean':
      return String(expr.value)
    case 'string':
      return formatString(expr.value)
    case 'duration':
      return formatDuration(expr.ns)
    case 'time':
      return `'${formatTime(expr.ns)}'`
    case 'regex':
      return `/${expr.regex.source.replaceAll('/', '\\/')}/`
    case 'list':
      return `(${expr.names.map((name) => formatIdentifier(name)).join(', ')})`
    case 'nil':
      return 'nil'
    default:
      return unreachable(expr)
  }
}

const castOf = (type: DataType): string => (type === 'unknown' ? '' : `::${type}`)

function formatField(field: Field): string {
  return formatExpr(field.expr) + (field.alias === '' ? '' : ` AS ${formatIdentifier(field.alias)}`)
}

export function formatMeasurement(source: Measurement): string {
  const database = source.database === '' ? '' : `${formatIdentifier(source.database)}.`
  const policy = source.retentionPolicy === '' ? '' : formatIdentifier(source.retentionPolicy)
  const dot = database !== '' || policy !== '' ? '.' : ''
  const regex = source.regex === null ? '' : formatExpr({ kind: 'regex', regex: source.regex })
  return database + policy + dot + (source.name === '' ? regex : formatIdentifier(source.name))
}

export function formatSource(source: Source): string {
  return source.kind === 'subquery' ? `(${formatSelect(source.select)})` : formatMeasurement(source)
}

export function formatSelect(select: SelectStatement): string {
  const parts = [`SELECT ${select.fields.map(formatField).join(', ')}`]
  if (select.target !== null) parts.push(`INTO ${formatTarget(select.target)}`)
  parts.push(`FROM ${select.sources.map(formatSource).join(', ')}`)
  if (select.condition !== null) parts.push(`WHERE ${formatExpr(select.condition)}`)
  if (select.dimensions.length > 0) parts.push(`GROUP BY ${select.dimensions.map(formatExpr).join(', ')}`)
  const fill = formatFill(select.fill)
  if (fill !== null) parts.push(`fill(${fill})`)
  const sort = select.sortFields.map(
    (f) => `${f.name}${f.name === '' ? '' : ' '}${f.ascending ? 'ASC' : 'DESC'}`,
  )
  if (sort.length > 0) parts.push(`ORDER BY ${sort.join(', ')}`)
  if (select.limit > 0) parts.push(`LIMIT ${select.limit}`)
  if (select.offset > 0) parts.push(`OFFSET ${select.offset}`)
  if (select.seriesLimit > 0) parts.push(`SLIMIT ${select.seriesLimit}`)
  if (select.seriesOffset > 0) parts.push(`SOFFSET ${select.seriesOffset}`)
  if (select.zone !== null) parts.push(`TZ('${select.zone}')`)
  return parts.join(' ')
}

const formatTarget = (target: Measurement): string =>
  target.name === '' ? `${formatMeasurement(target)}:MEASUREMENT` : formatMeasurement(target)

function formatFill(fill: Fill): string | null {
  if (fill.kind === 'null') return null
  return fill.kind === 'number' ? String(fill.value) : fill.kind
}
