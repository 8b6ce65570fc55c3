import { messageOf } from '../../../common/errors.ts'
import type { AlterRetentionPolicy, CatalogStatement, CreateDatabase } from './ast.ts'
import { parseDurationLiteral } from './duration.ts'
import { parseErrorAt, unexpected } from './parse-error.ts'
import type { TokenBuffer } from './token-buffer.ts'

const maxInt32 = 2 ** 31 - 1
const maxInt64 = 2n ** 63n - 1n

/** `1h`, or `INF` for 0. */
function parseDuration(tokens: TokenBuffer): bigint {
  const token = tokens.scan()
  if (token.kind === 'INF') return 0n
  if (token.kind !== 'DURATIONVAL') throw unexpected(token, 'duration')
  try {
    return parseDurationLiteral(token.text)
  } catch (error) {
    throw parseErrorAt(messageOf(error), token.position)
  }
}

/** `DURATION 1h`; a shard cannot last for ever. */
function parseShardDuration(tokens: TokenBuffer): bigint {
  tokens.expect('DURATION')
  const token = tokens.scan()
  if (token.kind === 'INF') throw parseErrorAt('invalid duration INF for shard duration', token.position)
  tokens.unscan()
  return parseDuration(tokens)
}

function parseReplication(tokens: TokenBuffer): number {
  const token = tokens.scan()
  if (token.kind !== 'INTEGER') throw unexpected(token, 'integer')
  const value = BigInt(token.text)
  if (value > maxInt64) {
    throw parseErrorAt(`strconv.Atoi: parsing "${token.text}": value out of range`, token.position)
  }
  if (value < 1n || value > maxInt32) {
    throw parseErrorAt(`invalid value ${value}: must be 1 <= n <= ${maxInt32}`, token.position)
  }
  return Number(value)
}

export function parseCreateDatabase(tokens: TokenBuffer): CatalogStatement {
  const name = tokens.identifier()
  return { kind: 'create database', name, policy: tokens.accept('WITH') ? parsePolicy(tokens) : null }
}

function parsePolicy(tokens: TokenBuffer): CreateDatabase['policy'] {
  const token = tokens.scan()
  if (!['DURATION', 'NAME', 'REPLICATION', 'SHARD'].includes(token.kind)) {
    throw unexpected(token, 'DURATION', 'NAME', 'REPLICATION', 'SHARD')
  }
  tokens.unscan()
  const durationNs = tokens.accept('DURATION') ? parseDuration(tokens) : null
  const replication = tokens.accept('REPLICATION') ? parseReplication(tokens) : null
  let shardDurationNs: bigint | null = null
  if (tokens.accept('SHARD')) {
    tokens.expect('DURATION')
    shardDurationNs = parseDuration(tokens)
  }
  return {
    durationNs,
    replication,
    shardDurationNs,
    name: tokens.accept('NAME') ? tokens.identifier() : null,
  }
}

export function parseDropDatabase(tokens: TokenBuffer): CatalogStatement {
  return { kind: 'drop database', name: tokens.identifier() }
}

export function parseDropRetentionPolicy(tokens: TokenBuffer): CatalogStatement {
  const name = tokens.identifier()
  tokens.expect('ON')
  return { kind: 'drop retention policy', name, database: tokens.identifier() }
}

export function parseCreateRetentionPolicy(tokens: TokenBuffer): CatalogStatement {
  const name = tokens.identifier()
  tokens.expect('ON')
  const database = tokens.identifier()
  tokens.expect('DURATION')
  const durationNs = parseDuration(tokens)
  tokens.expect('REPLICATION')
  const replication = parseReplication(tokens)
  const shardDurationNs = tokens.accept('SHARD') ? parseShardDuration(tokens) : 0n
  const isDefault = tokens.accept('DEFAULT')
  return {
    kind: 'create retention policy',
    name,
    database,
    durationNs,
    replication,
    shardDurationNs,
    isDefault,
  }
}

export function parseAlterRetentionPolicy(tokens: TokenBuffer): CatalogStatement {
  const token = tokens.scan()
  if (token.kind !== 'DEFAULT' && token.kind !== 'IDENT') throw unexpected(token, 'identifier')
  const name = token.kind === 'DEFAULT' ? 'default' : token.text
  tokens.expect('ON')
  return { kind: 'alter retention policy', name, database: tokens.identifier(), ...parseChanges(tokens) }
}

function parseChanges(tokens: TokenBuffer): Omit<AlterRetentionPolicy, 'kind' | 'name' | 'database'> {
  const found = new Set<string>()
  const changes: { -readonly [K in keyof AlterRetentionPolicy]?: AlterRetentionPolicy[K] } = {}
  for (;;) {
    const token = tokens.scan()
    if (found.has(token.kind)) throw parseErrorAt(`found duplicate ${token.kind} option`, token.position)
    if (token.kind === 'DURATION') changes.durationNs = parseDuration(tokens)
    else if (token.kind === 'REPLICATION') changes.replication = parseReplication(tokens)
    else if (token.kind === 'SHARD') changes.shardDurationNs = parseShardDuration(tokens)
    else if (token.kind === 'DEFAULT') changes.isDefault = true
    else if (found.size === 0) throw unexpected(token, 'DURATION', 'REPLICATION', 'SHARD', 'DEFAULT')
    else break
    found.add(token.kind)
  }
  tokens.unscan()
  return {
    durationNs: changes.durationNs ?? null,
    replication: changes.replication ?? null,
    shardDurationNs: changes.shardDurationNs ?? null,
    isDefault: changes.isDefault ?? false,
  }
}
