import { setImmediate } from 'node:timers/promises'
import { AppError } from '../../../common/errors.ts'
import { Holding } from '../held-bytes.ts'
import type { ResultSeries, StatementResult } from '../result.ts'
import type { CatalogStatement, SelectStatement, Statement } from './ast.ts'
import { statementError } from './condition.ts'
import { compileSelect } from './compile.ts'
import type { QueryContext } from './context.ts'
import { runDelete } from './delete.ts'
import { formatStatement } from './format-statement.ts'
import { needsOfStatement } from './needs.ts'
import { resolveSelect } from './resolve.ts'
import { emitSelect } from './run/emit.ts'
import { bindMeasurement, requireDatabase } from './schema.ts'
import * as show from './show.ts'
import { showCardinality } from './show-cardinality.ts'
import { isSystemName } from './show-condition.ts'
import { showSeries } from './show-series.ts'
import { showTagKeys, showTagValues } from './show-tags.ts'

export { needsOf } from './needs.ts'
export { parseQuery } from './parser.ts'

/**
 * Runs statements one after another. Each answers with one or more parts. A statement that fails answers with its
 * error, and those after it with `not executed`; InfluxDB 1.x overwrites the error with that.
 * @throws the reason of the context's signal, unless that is an AppError; faults that are not the query's
 */
export async function* runQuery(
  statements: readonly Statement[],
  context: QueryContext,
): AsyncGenerator<StatementResult> {
  let failed = false
  for (const [statementId, statement] of statements.entries()) {
    if (failed) {
      yield failure(statementId, 'not executed')
      continue
    }
    try {
      // Many small statements must not keep others waiting, nor run past the end of their time.
      await setImmediate()
      context.signal.throwIfAborted()
      checkAllowed(statement, context)
      yield* runStatement(statementId, statement, context)
    } catch (thrown) {
      // A reason that says why the query was stopped is an answer, too.
      const error: unknown = context.signal.aborted ? context.signal.reason : thrown
      if (!(error instanceof AppError) || error.kind === 'internal') throw error
      failed = true
      yield failure(statementId, error.message)
    }
  }
}

const failure = (statementId: number, error: string): StatementResult => ({
  statementId,
  series: [],
  messages: [],
  partial: false,
  error,
})

const success = (
  statementId: number,
  series: readonly ResultSeries[],
  messages: StatementResult['messages'] = [],
): StatementResult => ({ statementId, series, messages, partial: false, error: null })

function checkAllowed(statement: Statement, context: QueryContext): void {
  for (const needs of needsOfStatement(statement, context.database)) {
    const refusal = context.authorize(needs)
    if (refusal !== null) throw new AppError('forbidden', 'ERR_QUERY_FORBIDDEN', refusal)
  }
}

async function* runStatement(
  statementId: number,
  statement: Statement,
  context: QueryContext,
): AsyncGenerator<StatementResult> {
  switch (statement.kind) {
    case 'select':
      yield* runSelectStatement(statementId, statement, context)
      return
    case 'unsupported':
      throw unsupported(statement.name)
    case 'explain':
      throw unsupported('EXPLAIN')
    case 'show tag keys':
      yield* oneBySeries(statementId, await showTagKeys(statement, context))
      return
    case 'show tag values':
      yield* kept(context, async (holding) =>
        oneBySeries(statementId, await showTagValues(statement, context, holding)),
      )
      return
    case 'show field keys':
      yield* linked(statementId, await show.showFieldKeys(statement, context), context.chunkSize)
      return
    case 'show databases':
      yield success(statementId, show.showDatabases(context))
      return
    case 'show retention policies':
      yield success(statementId, show.showRetentionPolicies(statement, context))
      return
    case 'show measurements':
      yield success(statementId, await show.showMeasurements(statement, context))
      return
    case 'show series':
      yield* kept(context, async (holding) =>
        linked(statementId, await showSeries(statement, context, holding), context.chunkSize),
      )
      return
    case 'show cardinality':
      yield* linked(statementId, await showCardinality(statement, context), context.chunkSize)
      return
    // As in InfluxDB 1.8, of these only DELETE says nothing of GET.
    case 'delete':
      await runDelete(statement, context)
      yield success(statementId, [])
      return
    case 'drop series':
    case 'drop measurement':
      await runDelete(statement, context)
      yield success(statementId, [], context.readOnly ? [warningOf(statement)] : [])
      return
    default:
      await runCommand(statement, context)
      yield success(statementId, [], context.readOnly ? [warningOf(statement)] : [])
  }
}

/** What a statement holds counts until its last part is taken: who reads slowly keeps it in memory. */
async function* kept(
  { held }: QueryContext,
  answer: (holding: Holding) => Promise<Iterable<StatementResult>>,
): AsyncGenerator<StatementResult> {
  const holding = new Holding(held)
  try {
    yield* await answer(holding)
  } finally {
    holding.close()
  }
}

/** A part for each series, none of which promises another. */
function* oneBySeries(statementId: number, all: readonly ResultSeries[]): Generator<StatementResult> {
  if (all.length === 0) yield success(statementId, [])
  for (const series of all) yield success(statementId, [series])
}

/** Parts for each series, cut at the chunk size, each but the last of which promises another. */
function* linked(
  statementId: number,
  all: readonly ResultSeries[],
  chunkSize: number,
): Generator<StatementResult> {
  if (all.length === 0) yield success(statementId, [])
  for (const [i, series] of all.entries()) {
    let from = 0
    do {
      const partial = from + chunkSize < series.rows.length
      const part = { ...series, rows: series.rows.slice(from, from + chunkSize), partial }
      yield { ...success(statementId, [part]), partial: partial || i < all.length - 1 }
      from += chunkSize
    } while (from < series.rows.length)
  }
}

const unsupported = (what: string): AppError =>
  new AppError('unsupported', 'ERR_QUERY_UNSUPPORTED', `${what} is not supported yet`)

async function* runSelectStatement(
  statementId: number,
  statement: SelectStatement,
  context: QueryContext,
): AsyncGenerator<StatementResult> {
  if (statement.target !== null) throw unsupported('SELECT INTO')
  checkSources(statement, context)
  const compiled = compileSelect(statement, context.nowNs)
  const select = resolveSelect(compiled, (source) => bindMeasurement(context, source))
  let emitted = false
  for await (const { series, partial } of emitSelect(select, context)) {
    emitted = true
    yield { ...success(statementId, [series]), partial }
  }
  if (!emitted) yield success(statementId, [])
}

const systemStatements: Readonly<Record<string, string>> = {
  _fieldKeys: 'SHOW FIELD KEYS',
  _measurements: 'SHOW MEASUREMENTS',
  _series: 'SHOW SERIES',
  _tagKeys: 'SHOW TAG KEYS',
  _tags: 'SHOW TAG VALUES',
}

/** Databases must be there before anything else is looked at. */
function checkSources(statement: SelectStatement, context: QueryContext): void {
  for (const source of statement.sources) {
    if (source.kind === 'subquery') {
      checkSources(source.select, context)
      continue
    }
    if (isSystemName(source.name)) {
      const use = systemStatements[source.name] ?? 'the appropriate meta command'
      throw statementError(`unable to use system source '${source.name}': use ${use} instead`)
    }
    requireDatabase(context, source.database)
  }
}

const warningOf = (statement: Statement): StatementResult['messages'][number] => ({
  level: 'warning',
  text: `deprecated use of '${formatStatement(statement)}' in a read only context, please use a POST request instead`,
})

async function runCommand(statement: CatalogStatement, { commands }: QueryContext): Promise<void> {
  switch (statement.kind) {
    case 'create database':
      checkName(statement.name)
      if (statement.policy !== null && statement.policy.name !== null) checkName(statement.policy.name)
      return commands.createDatabase(statement.name, statement.policy)
    case 'drop database':
      return commands.dropDatabase(statement.name)
    case 'create retention policy':
      checkName(statement.name)
      return commands.createRetentionPolicy(statement.database, statement)
    case 'alter retention policy':
      return commands.alterRetentionPolicy(statement.database, statement)
    default:
      return commands.dropRetentionPolicy(statement.database, statement.name)
  }
}

function checkName(name: string): void {
  if (name === '' || name === '.' || name === '..' || /[/\\\p{C}\p{Zl}\p{Zp}]/u.test(name)) {
    throw statementError('invalid name')
  }
}
