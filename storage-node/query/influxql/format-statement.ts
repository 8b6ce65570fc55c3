import { unreachable } from '../../../common/errors.ts'
import type { CatalogStatement, ShowClauses, ShowStatement, Source, Statement, TagKeyClause } from './ast.ts'
import { formatDuration, formatGoDuration } from './duration.ts'
import { formatExpr, formatIdentifier, formatSelect, formatSource } from './format.ts'

/** A statement as InfluxDB 1.x prints it, without passwords. */
export function formatStatement(statement: Statement): string {
  switch (statement.kind) {
    case 'select':
      return formatSelect(statement)
    case 'explain':
      return `EXPLAIN ${statement.analyze ? 'ANALYZE ' : ''}${formatSelect(statement.select)}`
    case 'unsupported':
      return statement.text
    case 'create database':
    case 'drop database':
    case 'create retention policy':
    case 'alter retention policy':
    case 'drop retention policy':
      return formatCatalog(statement)
    case 'drop measurement':
      return `DROP MEASUREMENT ${formatIdentifier(statement.name)}`
    case 'delete':
    case 'drop series': {
      const { kind, sources, condition } = statement
      const where = condition === null ? '' : ` WHERE ${formatExpr(condition)}`
      return `${kind.toUpperCase()}${formatSources(sources)}${where}`
    }
    default:
      return formatShow(statement)
  }
}

function formatCatalog(statement: CatalogStatement): string {
  const name = formatIdentifier(statement.name)
  switch (statement.kind) {
    case 'create database':
      return `CREATE DATABASE ${name}${formatPolicy(statement.policy)}`
    case 'drop database':
      return `DROP DATABASE ${name}`
    case 'drop retention policy':
      return `DROP RETENTION POLICY ${name} ON ${formatIdentifier(statement.database)}`
    case 'create retention policy':
    case 'alter retention policy': {
      const { durationNs, replication, shardDurationNs, isDefault } = statement
      const verb = statement.kind === 'create retention policy' ? 'CREATE' : 'ALTER'
      const parts = [`${verb} RETENTION POLICY ${name} ON ${formatIdentifier(statement.database)}`]
      if (durationNs !== null) parts.push(`DURATION ${formatDuration(durationNs)}`)
      if (replication !== null) parts.push(`REPLICATION ${replication}`)
      if (shardDurationNs !== null && (verb === 'ALTER' || shardDurationNs > 0n)) {
        parts.push(`SHARD DURATION ${formatDuration(shardDurationNs)}`)
      }
      if (isDefault) parts.push('DEFAULT')
      return parts.join(' ')
    }
    default:
      return unreachable(statement)
  }
}

function formatPolicy(policy: (CatalogStatement & { readonly kind: 'create database' })['policy']): string {
  if (policy === null) return ''
  const parts = [' WITH']
  if (policy.durationNs !== null) parts.push(`DURATION ${formatGoDuration(policy.durationNs)}`)
  if (policy.replication !== null) parts.push(`REPLICATION ${policy.replication}`)
  const shardNs = policy.shardDurationNs ?? 0n
  if (shardNs > 0n) parts.push(`SHARD DURATION ${formatGoDuration(shardNs)}`)
  if (policy.name !== null) parts.push(`NAME ${formatIdentifier(policy.name)}`)
  return parts.join(' ')
}

function formatShow(statement: ShowStatement): string {
  switch (statement.kind) {
    case 'show databases':
      return 'SHOW DATABASES'
    case 'show retention policies':
      return `SHOW RETENTION POLICIES${on(statement.database)}`
    case 'show measurements': {
      const { source } = statement
      const operator = source?.kind === 'measurement' && source.regex !== null ? '=~' : '='
      const from = source === null ? '' : ` WITH MEASUREMENT ${operator} ${formatSource(source)}`
      return `SHOW MEASUREMENTS${on(statement.database)}${from}${formatTail(statement)}`
    }
    case 'show series':
      return `SHOW SERIES${formatFrom(statement)}${formatTail(statement)}`
    case 'show field keys':
      return `SHOW FIELD KEYS${formatFrom(statement)}${formatTail(statement)}`
    case 'show tag keys': {
      const slimit = count('SLIMIT', statement.seriesLimit) + count('SOFFSET', statement.seriesOffset)
      return `SHOW TAG KEYS${formatFrom(statement)}${formatTail(statement)}${slimit}`
    }
    case 'show tag values':
      return `SHOW TAG VALUES${formatFrom(statement)}${formatKey(statement.key)}${formatTail(statement)}`
    case 'show cardinality': {
      const exact = statement.exact ? ' EXACT' : ''
      const key = statement.key === null ? '' : formatKey(statement.key)
      return `SHOW ${statement.of.toUpperCase()}${exact} CARDINALITY${formatFrom(statement)}${key}${formatTail(statement)}`
    }
    default:
      return unreachable(statement)
  }
}

const on = (database: string): string => (database === '' ? '' : ` ON ${formatIdentifier(database)}`)
const count = (keyword: string, n: number): string => (n > 0 ? ` ${keyword} ${n}` : '')

function formatFrom({ database, sources }: ShowClauses): string {
  return on(database) + formatSources(sources)
}

const formatSources = (sources: readonly Source[]): string =>
  sources.length === 0 ? '' : ` FROM ${sources.map(formatSource).join(', ')}`

function formatKey({ operator, value }: TagKeyClause): string {
  return ` WITH KEY ${operator} ${value.kind === 'string' ? formatIdentifier(value.value) : formatExpr(value)}`
}

function formatTail({ condition, sortFields, limit, offset }: ShowClauses): string {
  const where = condition === null ? '' : ` WHERE ${formatExpr(condition)}`
  const sort = sortFields.map(({ name, ascending }) => `${name} ${ascending ? 'ASC' : 'DESC'}`.trim())
  const order = sort.length === 0 ? '' : ` ORDER BY ${sort.join(', ')}`
  return where + order + count('LIMIT', limit) + count('OFFSET', offset)
}
