import { AppError } from '../../../common/errors.ts'
import type { StatementResult } from '../result.ts'
import type { Statement } from './ast.ts'
import type { QueryContext, StatementNeeds } from './context.ts'

/**
 * Parses a query: statements divided by `;`.
 * @param parameters values for `$name`, as JSON parsed with integers apart from floats
 * @throws AppError invalid, ERR_QUERY_SYNTAX, with the text of InfluxDB 1.x, `error parsing query: …`
 */
export function parseQuery(text: string, _parameters: Readonly<Record<string, unknown>>): readonly Statement[] {
  throw new AppError('unsupported', 'ERR_QUERY_SYNTAX', `error parsing query: ${text}`)
}

/** What each statement needs to be allowed to do, in order: for callers that refuse a query as a whole. */
export function needsOf(_statements: readonly Statement[], _database: string | null): readonly StatementNeeds[] {
  return []
}

/**
 * Runs statements one after another. A statement that fails answers with its error; those after it are not executed.
 * @throws only the reason of the context's signal
 */
export async function* runQuery(
  _statements: readonly Statement[],
  _context: QueryContext,
): AsyncGenerator<StatementResult> {}
