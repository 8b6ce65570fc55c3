import type { Managed, Source, Statement } from './ast.ts'
import type { StatementNeeds } from './context.ts'
import { formatStatement } from './format-statement.ts'

/** What statements need to be allowed to do, in order; a statement over several databases needs several things. */
export function needsOf(
  statements: readonly Statement[],
  database: string | null,
): readonly StatementNeeds[] {
  return statements.flatMap((statement) => needsOfStatement(statement, database))
}

export function needsOfStatement(statement: Statement, database: string | null): readonly StatementNeeds[] {
  const text = formatStatement(statement)
  const access = (kind: 'read' | 'write', name: string): StatementNeeds => ({
    kind,
    database: name === '' ? database : name,
    text,
  })
  const admin = (manages: Managed): StatementNeeds => ({ kind: 'admin', manages, text })
  switch (statement.kind) {
    case 'select':
    case 'explain': {
      const select = statement.kind === 'select' ? statement : statement.select
      const read = [...new Set(databasesOf(select.sources))].map((name) => access('read', name))
      return select.target === null ? read : [...read, access('write', select.target.database)]
    }
    case 'show databases':
      return [{ kind: 'none', text }]
    case 'unsupported':
      return [statement.needs === 'read' ? access('read', '') : admin(statement.needs)]
    case 'create database':
    case 'drop database':
    case 'create retention policy':
    case 'alter retention policy':
    case 'drop retention policy':
      return [admin('databases')]
    case 'delete':
    case 'drop series':
    case 'drop measurement':
      return [access('write', '')]
    case 'show retention policies':
    case 'show measurements':
      return [access('read', statement.database)]
    default:
      return [
        ...new Set([statement.database, ...databasesOf(statement.sources).filter((name) => name !== '')]),
      ].map((name) => access('read', name))
  }
}

function databasesOf(sources: readonly Source[]): readonly string[] {
  return sources.flatMap((source) =>
    source.kind === 'measurement' ? [source.database] : databasesOf(source.select.sources),
  )
}
