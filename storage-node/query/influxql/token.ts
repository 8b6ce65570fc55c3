/** A token's kind; operators, punctuation and keywords stand for themselves, in upper case. */
export type TokenKind =
  | 'ILLEGAL'
  | 'EOF'
  | 'WS'
  | 'COMMENT'
  | 'IDENT'
  | 'BOUNDPARAM'
  | 'NUMBER'
  | 'INTEGER'
  | 'DURATIONVAL'
  | 'STRING'
  | 'BADSTRING'
  | 'BADESCAPE'
  | 'REGEX'
  | 'BADREGEX'
  | Operator
  | '('
  | ')'
  | ','
  | ':'
  | '::'
  | ';'
  | '.'
  | Keyword

export type Operator =
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | '&'
  | '|'
  | '^'
  | 'AND'
  | 'OR'
  | '='
  | '!='
  | '=~'
  | '!~'
  | '<'
  | '<='
  | '>'
  | '>='

const keywordList = [
  'ALL',
  'ALTER',
  'ANALYZE',
  'ANY',
  'AS',
  'ASC',
  'BEGIN',
  'BY',
  'CARDINALITY',
  'CREATE',
  'CONTINUOUS',
  'DATABASE',
  'DATABASES',
  'DEFAULT',
  'DELETE',
  'DESC',
  'DESTINATIONS',
  'DIAGNOSTICS',
  'DISTINCT',
  'DROP',
  'DURATION',
  'END',
  'EVERY',
  'EXACT',
  'EXPLAIN',
  'FIELD',
  'FOR',
  'FROM',
  'GRANT',
  'GRANTS',
  'GROUP',
  'GROUPS',
  'IN',
  'INF',
  'INSERT',
  'INTO',
  'KEY',
  'KEYS',
  'KILL',
  'LIMIT',
  'MEASUREMENT',
  'MEASUREMENTS',
  'NAME',
  'OFFSET',
  'ON',
  'ORDER',
  'PASSWORD',
  'POLICY',
  'POLICIES',
  'PRIVILEGES',
  'QUERIES',
  'QUERY',
  'READ',
  'REPLICATION',
  'RESAMPLE',
  'RETENTION',
  'REVOKE',
  'SELECT',
  'SERIES',
  'SET',
  'SHOW',
  'SHARD',
  'SHARDS',
  'SLIMIT',
  'SOFFSET',
  'STATS',
  'SUBSCRIPTION',
  'SUBSCRIPTIONS',
  'TAG',
  'TO',
  'USER',
  'USERS',
  'VALUES',
  'WHERE',
  'WITH',
  'WRITE',
  'TRUE',
  'FALSE',
] as const

export type Keyword = (typeof keywordList)[number]

const keywords: ReadonlyMap<string, TokenKind> = new Map<string, TokenKind>([
  ...keywordList.map((word): [string, TokenKind] => [word, word]),
  ['AND', 'AND'],
  ['OR', 'OR'],
])

/** Line and character count from zero, in code points. */
export interface Position {
  readonly line: number
  readonly char: number
}

export interface Token {
  readonly kind: TokenKind
  readonly position: Position
  /** The text of identifiers and literals, unquoted; empty for the rest. */
  readonly text: string
}

/** The keyword that an identifier is, whatever its case, or IDENT. */
export function keywordOf(identifier: string): TokenKind {
  return keywords.get(identifier.toUpperCase()) ?? 'IDENT'
}

const precedences: Readonly<Record<Operator, number>> = {
  OR: 1,
  AND: 2,
  '=': 3,
  '!=': 3,
  '=~': 3,
  '!~': 3,
  '<': 3,
  '<=': 3,
  '>': 3,
  '>=': 3,
  '+': 4,
  '-': 4,
  '|': 4,
  '^': 4,
  '*': 5,
  '/': 5,
  '%': 5,
  '&': 5,
}

export function isOperator(kind: TokenKind): kind is Operator {
  return kind in precedences
}

export function precedence(operator: Operator): number {
  return precedences[operator]
}

/** How a parse error names the token that it found. Kinds that have no text of their own are named by nothing. */
export function nameOfToken(token: Token): string {
  if (token.text !== '') return token.text
  switch (token.kind) {
    case 'COMMENT':
    case 'BOUNDPARAM':
    case 'INTEGER':
    case 'BADREGEX':
      return ''
    default:
      return token.kind
  }
}
