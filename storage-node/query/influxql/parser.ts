import { AppError } from '../../../common/errors.ts'
import type { Statement } from './ast.ts'
import { bindValue } from './parameters.ts'
import { ParseError, unexpected } from './parse-error.ts'
import * as catalog from './parse-catalog.ts'
import { parseDeletion, parseDropMeasurement } from './parse-delete.ts'
import * as other from './parse-other.ts'
import * as show from './parse-show.ts'
import { parseSelect } from './parse-select.ts'
import { textLimits } from './text-limits.ts'
import { TokenBuffer } from './token-buffer.ts'

type Handler = (tokens: TokenBuffer) => Statement
/** First words of statements; their order is that in which errors list them. */
interface Words {
  readonly [word: string]: Words | Handler
}

const statements: Words = {
  SELECT: (tokens) => parseSelect(tokens, 'optional'),
  DELETE: parseDeletion('delete'),
  SHOW: {
    CONTINUOUS: { QUERIES: other.plain('SHOW CONTINUOUS QUERIES', 'read') },
    DATABASES: () => ({ kind: 'show databases' }),
    DIAGNOSTICS: other.parseShowModule('SHOW DIAGNOSTICS'),
    FIELD: { KEY: show.parseFieldKeyCardinality, KEYS: show.parseFieldKeys },
    GRANTS: { FOR: other.parseNamed('SHOW GRANTS FOR', 'users') },
    MEASUREMENT: {
      EXACT: show.parseMeasurementCardinality(true),
      CARDINALITY: show.parseMeasurementCardinality(false),
    },
    MEASUREMENTS: show.parseMeasurements,
    QUERIES: other.plain('SHOW QUERIES', 'read'),
    RETENTION: { POLICIES: show.parseRetentionPolicies },
    SERIES: show.parseSeries,
    SHARD: { GROUPS: other.plain('SHOW SHARD GROUPS', 'databases') },
    SHARDS: other.plain('SHOW SHARDS', 'databases'),
    STATS: other.parseShowModule('SHOW STATS'),
    SUBSCRIPTIONS: other.plain('SHOW SUBSCRIPTIONS', 'databases'),
    TAG: { KEY: show.parseTagKeyCardinality, KEYS: show.parseTagKeys, VALUES: show.parseTagValues },
    USERS: other.plain('SHOW USERS', 'users'),
  },
  CREATE: {
    CONTINUOUS: { QUERY: other.parseCreateContinuousQuery },
    DATABASE: catalog.parseCreateDatabase,
    USER: other.parseCreateUser,
    RETENTION: { POLICY: catalog.parseCreateRetentionPolicy },
    SUBSCRIPTION: other.parseCreateSubscription,
  },
  DROP: {
    CONTINUOUS: { QUERY: other.parseDropContinuousQuery },
    DATABASE: catalog.parseDropDatabase,
    MEASUREMENT: parseDropMeasurement,
    RETENTION: { POLICY: catalog.parseDropRetentionPolicy },
    SERIES: parseDeletion('drop series'),
    SHARD: other.parseDropShard,
    SUBSCRIPTION: other.parseDropSubscription,
    USER: other.parseNamed('DROP USER', 'users'),
  },
  EXPLAIN: other.parseExplain,
  GRANT: other.parseGrant,
  REVOKE: other.parseRevoke,
  ALTER: { RETENTION: { POLICY: catalog.parseAlterRetentionPolicy } },
  SET: { PASSWORD: { FOR: other.parseSetPassword } },
  KILL: { QUERY: other.parseKillQuery },
}

/** The first words of every statement that is known: what stands behind them is another form of the same. */
export const statementNames: readonly string[] = namesOf(statements)

function namesOf(words: Words): readonly string[] {
  return Object.entries(words).flatMap(([word, next]) =>
    typeof next === 'function' ? [word] : namesOf(next).map((rest) => `${word} ${rest}`),
  )
}

/**
 * Parses a query: statements divided by `;`.
 * @param parameters values for `$name`: bigint for integers, number for floats, the rest as JSON gives it
 * @throws AppError invalid, ERR_QUERY_SYNTAX, with the text of InfluxDB 1.x, `error parsing query: …`
 */
export function parseQuery(
  text: string,
  parameters: Readonly<Record<string, unknown>>,
): readonly Statement[] {
  if (text.length > textLimits.length) {
    throw new AppError(
      'invalid',
      'ERR_QUERY_TOO_LONG',
      `error parsing query: query is longer than ${textLimits.length} characters`,
    )
  }
  const bound = new Map(Object.entries(parameters).map(([name, value]) => [name, bindValue(value)]))
  try {
    return parseStatements(new TokenBuffer(text, bound))
  } catch (error) {
    if (!(error instanceof ParseError)) throw error
    throw new AppError('invalid', 'ERR_QUERY_SYNTAX', `error parsing query: ${error.message}`)
  }
}

function parseStatements(tokens: TokenBuffer): readonly Statement[] {
  const parsed: Statement[] = []
  let divided = true
  for (;;) {
    const token = tokens.scan()
    if (token.kind === 'EOF') return parsed
    if (token.kind === ';') {
      divided = true
      continue
    }
    if (!divided) throw unexpected(token, ';')
    tokens.unscan()
    if (parsed.length >= textLimits.statements) {
      throw new ParseError(`query has more than ${textLimits.statements} statements`)
    }
    parsed.push(parseStatement(tokens))
    divided = false
  }
}

function parseStatement(tokens: TokenBuffer): Statement {
  let words = statements
  for (;;) {
    const token = tokens.scan()
    const next = Object.hasOwn(words, token.kind) ? words[token.kind] : undefined
    if (next === undefined) throw unexpected(token, ...Object.keys(words))
    if (typeof next === 'function') return next(tokens)
    words = next
  }
}
