import type { Cardinality, ShowClauses, ShowStatement, SortField, Source, TagKeyClause } from './ast.ts'
import { unexpected } from './parse-error.ts'
import { parseRegex } from './parse-expr.ts'
import {
  parseCondition,
  parseCount,
  parseDimensions,
  parseOrderBy,
  parseSource,
  parseSources,
} from './parse-select.ts'
import type { TokenBuffer } from './token-buffer.ts'

const parseDatabase = (tokens: TokenBuffer): string => (tokens.accept('ON') ? tokens.identifier() : '')
const parseFrom = (tokens: TokenBuffer): readonly Source[] =>
  tokens.accept('FROM') ? parseSources(tokens, false) : []
const noSort: readonly SortField[] = []

function parseTail(tokens: TokenBuffer): Pick<ShowClauses, 'condition' | 'sortFields' | 'limit' | 'offset'> {
  return {
    condition: parseCondition(tokens),
    sortFields: parseOrderBy(tokens),
    limit: parseCount(tokens, 'LIMIT'),
    offset: parseCount(tokens, 'OFFSET'),
  }
}

export function parseRetentionPolicies(tokens: TokenBuffer): ShowStatement {
  return { kind: 'show retention policies', database: parseDatabase(tokens) }
}

export function parseMeasurements(tokens: TokenBuffer): ShowStatement {
  const database = parseDatabase(tokens)
  let source: Source | null = null
  if (tokens.accept('WITH')) {
    tokens.expect('MEASUREMENT')
    const operator = tokens.scan()
    if (operator.kind !== '=' && operator.kind !== '=~') throw unexpected(operator, '=', '=~')
    source = parseSource(tokens, false)
  }
  return { kind: 'show measurements', database, source, sources: [], ...parseTail(tokens) }
}

export function parseSeries(tokens: TokenBuffer): ShowStatement {
  const exact = tokens.accept('EXACT')
  if (tokens.accept('CARDINALITY')) return parseCardinality(tokens, 'series', exact)
  return {
    kind: 'show series',
    database: parseDatabase(tokens),
    sources: parseFrom(tokens),
    ...parseTail(tokens),
  }
}

export function parseFieldKeys(tokens: TokenBuffer): ShowStatement {
  return {
    kind: 'show field keys',
    database: parseDatabase(tokens),
    sources: parseFrom(tokens),
    condition: null,
    sortFields: parseOrderBy(tokens),
    limit: parseCount(tokens, 'LIMIT'),
    offset: parseCount(tokens, 'OFFSET'),
  }
}

export function parseTagKeys(tokens: TokenBuffer): ShowStatement {
  return {
    kind: 'show tag keys',
    database: parseDatabase(tokens),
    sources: parseFrom(tokens),
    ...parseTail(tokens),
    seriesLimit: parseCount(tokens, 'SLIMIT'),
    seriesOffset: parseCount(tokens, 'SOFFSET'),
  }
}

export function parseTagValues(tokens: TokenBuffer): ShowStatement {
  if (tokens.accept('EXACT')) {
    tokens.expect('CARDINALITY')
    return parseCardinality(tokens, 'tag values', true)
  }
  if (tokens.accept('CARDINALITY')) return parseCardinality(tokens, 'tag values', false)
  return {
    kind: 'show tag values',
    database: parseDatabase(tokens),
    sources: parseFrom(tokens),
    key: parseTagKey(tokens),
    ...parseTail(tokens),
  }
}

export const parseMeasurementCardinality =
  (exact: boolean) =>
  (tokens: TokenBuffer): ShowStatement => {
    if (exact) tokens.expect('CARDINALITY')
    return parseCardinality(tokens, 'measurement', exact)
  }

export const parseTagKeyCardinality = (tokens: TokenBuffer): ShowStatement =>
  parseKeyCardinality(tokens, 'tag key')

export const parseFieldKeyCardinality = (tokens: TokenBuffer): ShowStatement =>
  parseKeyCardinality(tokens, 'field key')

function parseKeyCardinality(tokens: TokenBuffer, of: Cardinality): ShowStatement {
  const exact = tokens.accept('EXACT')
  const token = tokens.scan()
  if (token.kind !== 'CARDINALITY') {
    throw unexpected(token, ...(exact ? ['CARDINALITY'] : ['EXACT', 'CARDINALITY']))
  }
  return parseCardinality(tokens, of, exact)
}

function parseCardinality(tokens: TokenBuffer, of: Cardinality, exact: boolean): ShowStatement {
  return {
    kind: 'show cardinality',
    of,
    exact,
    database: parseDatabase(tokens),
    sources: parseFrom(tokens),
    key: of === 'tag values' ? parseTagKey(tokens) : null,
    condition: parseCondition(tokens),
    dimensions: parseDimensions(tokens),
    sortFields: noSort,
    limit: parseCount(tokens, 'LIMIT'),
    offset: parseCount(tokens, 'OFFSET'),
  }
}

/** `WITH KEY = a`, `!= a`, `=~ /a/`, `!~ /a/`, `IN (a, b)` */
function parseTagKey(tokens: TokenBuffer): TagKeyClause {
  tokens.expect('WITH', 'KEY')
  const token = tokens.scan()
  switch (token.kind) {
    case 'IN': {
      tokens.expect('(')
      const names = [tokens.identifier()]
      while (tokens.accept(',')) names.push(tokens.identifier())
      tokens.expect(')')
      return { operator: 'IN', value: { kind: 'list', names } }
    }
    case '=':
    case '!=':
      return { operator: token.kind, value: { kind: 'string', value: tokens.identifier() } }
    case '=~':
    case '!~': {
      const regex = parseRegex(tokens)
      if (regex === null) throw unexpected(tokens.scan(), 'regex')
      return { operator: token.kind, value: { kind: 'regex', regex } }
    }
    default:
      throw unexpected(token, 'IN', '=', '=~')
  }
}
