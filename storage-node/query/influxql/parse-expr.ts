import type { Call, DataType, Expr, VarRef, Wildcard } from './ast.ts'
import { messageOf } from '../../../common/errors.ts'
import { parseDurationLiteral } from './duration.ts'
import { formatIdentifier } from './format.ts'
import { ParseError, parseErrorAt, unexpected } from './parse-error.ts'
import { Regex } from './regex.ts'
import type { TokenBuffer } from './token-buffer.ts'
import { isOperator, precedence, type Operator, type Token } from './token.ts'

const maxInt64 = 2n ** 63n - 1n
const maxUint64 = 2n ** 64n - 1n

/** An expression with operators, by precedence, to the left. */
export function parseExpr(tokens: TokenBuffer): Expr {
  return tokens.nested(() => {
    let expr = parseUnary(tokens)
    for (;;) {
      const token = tokens.scan()
      if (!isOperator(token.kind)) {
        tokens.unscan()
        return expr
      }
      tokens.countOperator()
      expr = withOperand(expr, token.kind, parseOperand(tokens, token.kind))
    }
  })
}

function parseOperand(tokens: TokenBuffer, operator: Operator): Expr {
  if (operator !== '=~' && operator !== '!~') return parseUnary(tokens)
  const regex = parseRegex(tokens)
  if (regex === null) throw unexpected(tokens.scan(), 'regex')
  return { kind: 'regex', regex }
}

/** Adds `operator right` where precedence wants it: down the right edge of the tree. */
function withOperand(tree: Expr, operator: Operator, right: Expr): Expr {
  if (tree.kind !== 'binary' || precedence(tree.operator) >= precedence(operator)) {
    return { kind: 'binary', operator, left: tree, right }
  }
  return { ...tree, right: withOperand(tree.right, operator, right) }
}

function parseUnary(tokens: TokenBuffer): Expr {
  if (tokens.accept('(')) {
    const inner = parseExpr(tokens)
    const close = tokens.scan()
    if (close.kind !== ')') throw unexpected(close, ')')
    return { kind: 'paren', inner }
  }
  const token = tokens.scan()
  switch (token.kind) {
    case 'IDENT':
      if (tokens.acceptAny('(')) return parseCall(tokens, token.text)
      tokens.unscan()
      return parseVarRef(tokens)
    case 'DISTINCT':
      return parseDistinct(tokens)
    case '*':
      return parseWildcard(tokens)
    case 'BOUNDPARAM':
      throw tokens.parameterProblem(token)
    case '+':
    case '-':
      return parseSigned(tokens, token.kind)
    default:
      return parseLiteral(token)
  }
}

function parseLiteral(token: Token): Expr {
  switch (token.kind) {
    case 'STRING':
      return { kind: 'string', value: token.text }
    case 'NUMBER': {
      const value = Number(token.text)
      if (!Number.isFinite(value)) throw parseErrorAt('unable to parse number', token.position)
      return { kind: 'number', value }
    }
    case 'INTEGER': {
      const value = BigInt(token.text)
      if (value <= maxInt64) return { kind: 'integer', value }
      if (value <= maxUint64) return { kind: 'unsigned', value }
      throw parseErrorAt('unable to parse integer', token.position)
    }
    case 'TRUE':
    case 'FALSE':
      return { kind: 'boolean', value: token.kind === 'TRUE' }
    case 'DURATIONVAL':
      return { kind: 'duration', ns: durationOf(token.text) }
    case 'REGEX':
      return { kind: 'regex', regex: regexOf(token) }
    default:
      throw unexpected(token, 'identifier', 'string', 'number', 'bool')
  }
}

function durationOf(text: string): bigint {
  try {
    return parseDurationLiteral(text)
  } catch (error) {
    throw new ParseError(messageOf(error))
  }
}

function parseSigned(tokens: TokenBuffer, sign: '+' | '-'): Expr {
  const token = tokens.scan()
  if (!['NUMBER', 'INTEGER', 'DURATIONVAL', '(', 'IDENT'].includes(token.kind)) {
    throw unexpected(token, 'identifier', 'number', 'duration', '(')
  }
  tokens.unscan()
  const operand = parseUnary(tokens)
  const minus = sign === '-'
  switch (operand.kind) {
    case 'number':
      return { ...operand, value: operand.value * (minus ? -1 : 1) }
    case 'integer':
      return { ...operand, value: minus ? -operand.value : operand.value }
    case 'unsigned':
      if (!minus) return operand
      if (operand.value === maxInt64 + 1n) return { kind: 'integer', value: -operand.value }
      throw new ParseError(`constant -${operand.value} underflows int64`)
    case 'duration':
      return { ...operand, ns: minus ? -operand.ns : operand.ns }
    default:
      return {
        kind: 'binary',
        operator: '*',
        left: { kind: 'integer', value: minus ? -1n : 1n },
        right: operand,
      }
  }
}

function parseDistinct(tokens: TokenBuffer): Expr {
  const token = tokens.scanAny()
  if (token.kind === '(') return parseCall(tokens, 'distinct')
  if (token.kind !== 'WS') throw unexpected(token, '(', 'identifier')
  return { kind: 'distinct', name: tokens.identifier() }
}

function parseWildcard(tokens: TokenBuffer): Wildcard {
  if (!tokens.acceptAny('::')) return { kind: 'wildcard', only: null }
  const token = tokens.scanAny()
  if (token.kind === 'FIELD') return { kind: 'wildcard', only: 'field' }
  if (token.kind === 'TAG') return { kind: 'wildcard', only: 'tag' }
  throw unexpected(token, 'field', 'tag')
}

function parseCall(tokens: TokenBuffer, name: string): Call {
  const args: Expr[] = []
  const lowerName = name.toLowerCase()
  const first = parseRegex(tokens)
  if (first !== null) args.push({ kind: 'regex', regex: first })
  else if (tokens.acceptAny(')')) return { kind: 'call', name: lowerName, args }
  else args.push(parseExpr(tokens))
  while (tokens.accept(',')) {
    const regex = parseRegex(tokens)
    args.push(regex === null ? parseExpr(tokens) : { kind: 'regex', regex })
  }
  const close = tokens.scanAny()
  if (close.kind !== ')') throw unexpected(close, ')')
  return { kind: 'call', name: lowerName, args }
}

/** `name`, `a.b`, `name::type` */
function parseVarRef(tokens: TokenBuffer): VarRef {
  const name = parseSegments(tokens).join('.')
  if (!tokens.acceptAny('::')) return { kind: 'ref', name, type: 'unknown' }
  const token = tokens.scanAny()
  if (token.kind === 'FIELD') return { kind: 'ref', name, type: 'field' }
  if (token.kind === 'TAG') return { kind: 'ref', name, type: 'tag' }
  if (token.kind !== 'IDENT') throw unexpected(token, 'float', 'integer', 'string', 'boolean', 'field', 'tag')
  const type = token.text.toLowerCase()
  if (!['float', 'integer', 'unsigned', 'string', 'boolean'].includes(type)) {
    throw unexpected(token, 'float', 'integer', 'unsigned', 'string', 'boolean', 'field', 'tag')
  }
  return { kind: 'ref', name, type: type as DataType }
}

/** Names divided by dots: `db.rp.m`, `db..m`; stops behind a dot that a regular expression or a colon follows. */
export function parseSegments(tokens: TokenBuffer): readonly string[] {
  const segments = [tokens.identifier()]
  while (tokens.acceptAny('.')) {
    const next = tokens.peekCharacter()
    if (next === '/' || next === ':') break
    segments.push(next === '.' ? '' : tokens.identifier())
  }
  if (segments.length > 3) {
    throw new ParseError(`too many segments in ${formatIdentifier(...segments)} at line 1, char 1`)
  }
  return segments
}

/** A regular expression, or null when none comes next. */
export function parseRegex(tokens: TokenBuffer): Regex | null {
  if ([' ', '\t', '\n'].includes(tokens.peekCharacter())) skipSpace(tokens)
  const next = tokens.peekCharacter()
  if (next === '$') {
    const kind = tokens.scanAny().kind
    tokens.unscan()
    if (kind !== 'REGEX') return null
  } else if (next !== '/') {
    return null
  }
  const token = tokens.scanRegex()
  if (token.kind === 'BADREGEX') throw parseErrorAt('bad regex: ', token.position)
  if (token.kind !== 'REGEX') throw unexpected(token, 'regex')
  return regexOf(token)
}

export function skipSpace(tokens: TokenBuffer): void {
  tokens.acceptAny('WS')
}

function regexOf(token: Token): Regex {
  try {
    return new Regex(token.text)
  } catch (error) {
    throw parseErrorAt(messageOf(error), token.position)
  }
}
