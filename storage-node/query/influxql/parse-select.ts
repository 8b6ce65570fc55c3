import type { Expr, Field, Fill, Measurement, SelectStatement, SortField, Source } from './ast.ts'
import { formatExpr } from './format.ts'
import { ParseError, unexpected } from './parse-error.ts'
import { parseExpr, parseRegex, parseSegments, skipSpace } from './parse-expr.ts'
import { textLimits } from './text-limits.ts'
import type { TokenBuffer } from './token-buffer.ts'
import type { TokenKind } from './token.ts'
import { Zone } from '../zone.ts'
import { walk } from './walk.ts'

/** A SELECT whose first word has been read. @param target whether an INTO clause must, may or may not be there */
export function parseSelect(tokens: TokenBuffer, target: 'required' | 'optional'): SelectStatement {
  return tokens.nestedSelect(() => {
    const fields = parseFields(tokens)
    const into = parseTarget(tokens, target)
    tokens.expect('FROM')
    return {
      kind: 'select',
      fields,
      target: into,
      sources: parseSources(tokens, true),
      condition: parseCondition(tokens),
      dimensions: parseDimensions(tokens),
      fill: parseFill(tokens),
      sortFields: parseOrderBy(tokens),
      limit: parseCount(tokens, 'LIMIT'),
      offset: parseCount(tokens, 'OFFSET'),
      seriesLimit: parseCount(tokens, 'SLIMIT'),
      seriesOffset: parseCount(tokens, 'SOFFSET'),
      zone: parseZone(tokens),
    }
  })
}

function parseFields(tokens: TokenBuffer): readonly Field[] {
  const fields = [parseField(tokens)]
  while (tokens.acceptAny(',')) {
    if (fields.length >= textLimits.fields) {
      throw new ParseError(`SELECT has more than ${textLimits.fields} fields`)
    }
    fields.push(parseField(tokens))
  }
  return fields
}

function parseField(tokens: TokenBuffer): Field {
  const regex = parseRegex(tokens)
  const { position } = tokens.scan()
  tokens.unscan()
  const expr: Expr = regex === null ? parseExpr(tokens) : { kind: 'regex', regex }
  if (regex === null) {
    walk(expr, (node) => {
      if (node.kind !== 'binary' || !comparisons.has(node.operator)) return
      throw new ParseError(
        `invalid operator ${node.operator} in SELECT clause at line ${position.line + 1}, char ${position.char + 1}; operator is intended for WHERE clause`,
      )
    })
  }
  const alias = tokens.accept('AS') ? tokens.identifier() : ''
  skipSpace(tokens)
  return { expr, alias }
}

const comparisons = new Set<string>(['=', '!=', '=~', '!~', '<', '<=', '>', '>=', 'AND', 'OR'])

function parseTarget(tokens: TokenBuffer, requirement: 'required' | 'optional'): Measurement | null {
  const token = tokens.scan()
  if (token.kind !== 'INTO') {
    if (requirement === 'required') throw unexpected(token, 'INTO')
    tokens.unscan()
    return null
  }
  const segments = [...parseSegments(tokens)]
  if (segments.length < 3 && tokens.peekCharacter() === ':') {
    tokens.expect(':', 'MEASUREMENT')
    segments.push('')
  }
  return measurementOf(segments)
}

function measurementOf(segments: readonly string[]): Measurement {
  const [database, retentionPolicy, name] = ['', '', ...segments].slice(-3)
  return {
    kind: 'measurement',
    database: database!,
    retentionPolicy: retentionPolicy!,
    name: name!,
    regex: null,
  }
}

export function parseSources(tokens: TokenBuffer, subqueries: boolean): readonly Source[] {
  const sources = [parseSource(tokens, subqueries)]
  while (tokens.accept(',')) {
    if (sources.length >= textLimits.sources) {
      throw new ParseError(`FROM has more than ${textLimits.sources} sources`)
    }
    sources.push(parseSource(tokens, subqueries))
  }
  return sources
}

export function parseSource(tokens: TokenBuffer, subqueries: boolean): Source {
  const regex = parseRegex(tokens)
  if (regex !== null) return { ...measurementOf(['']), regex }
  if (subqueries && tokens.accept('(')) {
    tokens.expect('SELECT')
    const select = parseSelect(tokens, 'optional')
    tokens.expect(')')
    return { kind: 'subquery', select: { ...select, target: null } }
  }
  const segments = parseSegments(tokens)
  if (segments.length === 3) return measurementOf(segments)
  const behind = parseRegex(tokens)
  return behind === null ? measurementOf(segments) : { ...measurementOf([...segments, '']), regex: behind }
}

export function parseCondition(tokens: TokenBuffer): Expr | null {
  return tokens.accept('WHERE') ? parseExpr(tokens) : null
}

export function parseDimensions(tokens: TokenBuffer): readonly Expr[] {
  if (!tokens.accept('GROUP')) return []
  tokens.expect('BY')
  const dimensions = [parseDimension(tokens)]
  while (tokens.acceptAny(',')) dimensions.push(parseDimension(tokens))
  return dimensions
}

function parseDimension(tokens: TokenBuffer): Expr {
  const regex = parseRegex(tokens)
  if (regex !== null) return { kind: 'regex', regex }
  const expr = parseExpr(tokens)
  skipSpace(tokens)
  return expr
}

/** The expression that starts with the function `name`, or null when another thing comes next. */
function parseCallOf(tokens: TokenBuffer, name: string): Expr | null {
  const token = tokens.scan()
  tokens.unscan()
  return token.kind === 'IDENT' && token.text.toLowerCase() === name ? parseExpr(tokens) : null
}

function parseFill(tokens: TokenBuffer): Fill {
  const expr = parseCallOf(tokens, 'fill')
  if (expr === null) return { kind: 'null' }
  if (expr.kind !== 'call') throw new ParseError('fill must be a function call')
  const [argument, ...more] = expr.args
  if (argument === undefined || more.length > 0) {
    throw new ParseError('fill requires an argument, e.g.: 0, null, none, previous, linear')
  }
  const word = formatExpr(argument)
  if (word === 'null' || word === 'none' || word === 'previous' || word === 'linear') return { kind: word }
  if (argument.kind === 'integer' || argument.kind === 'number')
    return { kind: 'number', value: argument.value }
  throw new ParseError('expected number argument in fill()')
}

function parseZone(tokens: TokenBuffer): string | null {
  const expr = parseCallOf(tokens, 'tz')
  if (expr === null) return null
  if (expr.kind !== 'call') throw new ParseError('tz must be a function call')
  const [argument, ...more] = expr.args
  if (argument === undefined || more.length > 0) throw new ParseError('tz requires exactly one argument')
  if (argument.kind !== 'string') throw new ParseError('expected string argument in tz()')
  if (argument.value !== '' && Zone.find(argument.value) === null) {
    throw new ParseError(`unable to find time zone ${argument.value}`)
  }
  return argument.value === '' ? 'UTC' : argument.value
}

/** `LIMIT 3` and the like, 0 when it is not there. Counts past what a number holds exactly mean all the same. */
export function parseCount(tokens: TokenBuffer, keyword: TokenKind): number {
  if (!tokens.accept(keyword)) return 0
  const token = tokens.scan()
  if (token.kind !== 'INTEGER') throw unexpected(token, 'integer')
  return Math.min(Number(token.text), Number.MAX_SAFE_INTEGER)
}

export function parseOrderBy(tokens: TokenBuffer): readonly SortField[] {
  if (!tokens.accept('ORDER')) return []
  tokens.expect('BY')
  const onlyTime = new ParseError('only ORDER BY time supported at this time')
  const first = tokens.scan()
  const fields: SortField[] = []
  if (first.kind === 'ASC' || first.kind === 'DESC') {
    fields.push({ name: '', ascending: first.kind === 'ASC' })
  } else if (first.kind === 'IDENT') {
    tokens.unscan()
    fields.push(parseSortField(tokens))
    if (first.text !== 'time') throw onlyTime
  } else {
    throw unexpected(first, 'identifier', 'ASC', 'DESC')
  }
  while (tokens.accept(',')) fields.push(parseSortField(tokens))
  if (fields.length > 1) throw onlyTime
  return fields
}

function parseSortField(tokens: TokenBuffer): SortField {
  const name = tokens.identifier()
  if (tokens.accept('DESC')) return { name, ascending: false }
  tokens.accept('ASC')
  return { name, ascending: true }
}
