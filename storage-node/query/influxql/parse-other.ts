import type { Statement, UnsupportedStatement } from './ast.ts'
import { formatIdentifier, formatSelect } from './format.ts'
import { parseErrorAt, unexpected } from './parse-error.ts'
import { parseSelect } from './parse-select.ts'
import type { TokenBuffer } from './token-buffer.ts'

/**
 * Statements that Holdfast knows the syntax of but does not run: wrong ones answer as in InfluxDB 1.x, right ones
 * say so. Where Kubernetes resources do the work, the executor's message names them.
 */
type Needs = UnsupportedStatement['needs']

const unsupported = (name: string, needs: Needs, text = name): UnsupportedStatement => ({
  kind: 'unsupported',
  name,
  needs,
  text,
})

export const plain = (name: string, needs: Needs) => (): UnsupportedStatement => unsupported(name, needs)

/** A statement that ends with one name. */
export const parseNamed =
  (name: string, needs: Needs) =>
  (tokens: TokenBuffer): UnsupportedStatement =>
    unsupported(name, needs, `${name} ${formatIdentifier(tokens.identifier())}`)

export const parseShowModule =
  (name: string) =>
  (tokens: TokenBuffer): UnsupportedStatement => {
    if (!tokens.accept('FOR')) return unsupported(name, 'databases')
    return unsupported(name, 'databases', `${name} FOR '${parseString(tokens)}'`)
  }

function parseString(tokens: TokenBuffer): string {
  const token = tokens.scan()
  if (token.kind !== 'STRING') throw unexpected(token, 'string')
  return token.text
}

function parseUnsigned(tokens: TokenBuffer): bigint {
  const token = tokens.scan()
  if (token.kind !== 'INTEGER') throw unexpected(token, 'integer')
  const value = BigInt(token.text)
  if (value >= 2n ** 64n) {
    throw parseErrorAt(`strconv.ParseUint: parsing "${token.text}": value out of range`, token.position)
  }
  return value
}

export function parseExplain(tokens: TokenBuffer): Statement {
  const analyze = tokens.accept('ANALYZE')
  tokens.expect('SELECT')
  return { kind: 'explain', analyze, select: parseSelect(tokens, 'optional') }
}

export function parseDropShard(tokens: TokenBuffer): UnsupportedStatement {
  return unsupported('DROP SHARD', 'databases', `DROP SHARD ${parseUnsigned(tokens)}`)
}

export function parseKillQuery(tokens: TokenBuffer): UnsupportedStatement {
  const id = parseUnsigned(tokens)
  const host = tokens.accept('ON') ? ` ON ${formatIdentifier(tokens.identifier())}` : ''
  return unsupported('KILL QUERY', 'databases', `KILL QUERY ${id}${host}`)
}

export function parseCreateUser(tokens: TokenBuffer): UnsupportedStatement {
  const name = formatIdentifier(tokens.identifier())
  tokens.expect('WITH', 'PASSWORD')
  parseString(tokens)
  const admin = tokens.accept('WITH')
  if (admin) tokens.expect('ALL', 'PRIVILEGES')
  return unsupported(
    'CREATE USER',
    'users',
    `CREATE USER ${name} WITH PASSWORD [REDACTED]${admin ? ' WITH ALL PRIVILEGES' : ''}`,
  )
}

export function parseSetPassword(tokens: TokenBuffer): UnsupportedStatement {
  const name = formatIdentifier(tokens.identifier())
  tokens.expect('=')
  parseString(tokens)
  return unsupported('SET PASSWORD', 'users', `SET PASSWORD FOR ${name} = [REDACTED]`)
}

export const parseGrant = (tokens: TokenBuffer): UnsupportedStatement =>
  parsePrivileges(tokens, 'GRANT', 'TO')
export const parseRevoke = (tokens: TokenBuffer): UnsupportedStatement =>
  parsePrivileges(tokens, 'REVOKE', 'FROM')

function parsePrivileges(
  tokens: TokenBuffer,
  verb: 'GRANT' | 'REVOKE',
  toward: 'TO' | 'FROM',
): UnsupportedStatement {
  const privilege = tokens.scan()
  if (!['READ', 'WRITE', 'ALL'].includes(privilege.kind))
    throw unexpected(privilege, 'READ', 'WRITE', 'ALL [PRIVILEGES]')
  const all = privilege.kind === 'ALL'
  if (all) tokens.accept('PRIVILEGES')
  const what = all ? 'ALL PRIVILEGES' : privilege.kind
  const next = tokens.scan()
  if (next.kind === 'ON') {
    const database = tokens.identifier()
    tokens.expect(toward)
    const user = tokens.identifier()
    const text = `${verb} ${what} ON ${formatIdentifier(database)} ${toward} ${formatIdentifier(user)}`
    return unsupported(verb, 'users', text)
  }
  if (next.kind !== toward || !all)
    throw unexpected(next, ...(all && next.kind !== toward ? ['ON', toward] : ['ON']))
  return unsupported(verb, 'users', `${verb} ${what} ${toward} ${formatIdentifier(tokens.identifier())}`)
}

export function parseCreateSubscription(tokens: TokenBuffer): UnsupportedStatement {
  const name = tokens.identifier()
  const target = parsePolicyOf(tokens)
  tokens.expect('DESTINATIONS')
  const mode = tokens.scan()
  if (mode.kind !== 'ALL' && mode.kind !== 'ANY') throw unexpected(mode, 'ALL', 'ANY')
  const destinations = [parseString(tokens)]
  while (tokens.accept(',')) destinations.push(parseString(tokens))
  const text = `CREATE SUBSCRIPTION ${formatIdentifier(name)} ON ${target} DESTINATIONS ${mode.kind}`
  return unsupported('CREATE SUBSCRIPTION', 'databases', text)
}

export function parseDropSubscription(tokens: TokenBuffer): UnsupportedStatement {
  const name = tokens.identifier()
  return unsupported(
    'DROP SUBSCRIPTION',
    'databases',
    `DROP SUBSCRIPTION ${formatIdentifier(name)} ON ${parsePolicyOf(tokens)}`,
  )
}

/** `ON db.rp` */
function parsePolicyOf(tokens: TokenBuffer): string {
  tokens.expect('ON')
  const database = tokens.identifier()
  const dot = tokens.scanAny()
  if (dot.kind !== '.') throw unexpected(dot, '.')
  return `${formatIdentifier(database)}.${formatIdentifier(tokens.identifier())}`
}

export function parseDropContinuousQuery(tokens: TokenBuffer): UnsupportedStatement {
  const name = tokens.identifier()
  tokens.expect('ON')
  const text = `DROP CONTINUOUS QUERY ${formatIdentifier(name)} ON ${formatIdentifier(tokens.identifier())}`
  return unsupported('DROP CONTINUOUS QUERY', 'databases', text)
}

export function parseCreateContinuousQuery(tokens: TokenBuffer): UnsupportedStatement {
  const name = tokens.identifier()
  tokens.expect('ON')
  const database = tokens.identifier()
  if (tokens.accept('RESAMPLE')) {
    const every = tokens.accept('EVERY')
    if (every) parsePlainDuration(tokens)
    const lasting = tokens.accept('FOR')
    if (lasting) parsePlainDuration(tokens)
    if (!every && !lasting) throw unexpected(tokens.scan(), 'EVERY', 'FOR')
  }
  tokens.expect('BEGIN', 'SELECT')
  const select = parseSelect(tokens, 'required')
  tokens.expect('END')
  const head = `CREATE CONTINUOUS QUERY ${formatIdentifier(name)} ON ${formatIdentifier(database)}`
  return unsupported('CREATE CONTINUOUS QUERY', 'databases', `${head} BEGIN ${formatSelect(select)} END`)
}

function parsePlainDuration(tokens: TokenBuffer): void {
  const token = tokens.scan()
  if (token.kind !== 'DURATIONVAL') throw unexpected(token, 'duration')
}
