import { expect, test } from 'vitest'
import type { AuditEvent } from '../../common/audit.ts'
import { silentLogger } from '../../common/log.ts'
import type { Principal } from '../auth/principal.ts'
import { firstDocument } from '../state/alone.ts'
import { withDatabase } from '../state/catalog-changes.ts'
import { requireDirectAccess, requireStatements, requireWrite } from './access.ts'
import type { AuthenticatedExchange } from './exchange.ts'
import type { NodeParts } from './parts.ts'

// Promise: who is known and is denied leaves one audit line, which names the database by its id and nothing else of it.

const databaseId = '1111111111111111'
const reader: Principal = {
  tokenId: 'cccccccccccccccc',
  permissions: [{ database: 'mine', access: ['read'] }],
}

function world() {
  const events: AuditEvent[] = []
  const first = withDatabase(firstDocument('aaaaaaaaaaaaaaaa'), 'mine', null, databaseId)!
  const document = { ...first, organization: { ...first.organization, directAccess: false } }
  const parts = {
    store: { inForce: { document } },
    metrics: { denials: { inc: () => undefined } },
    audit: { write: (event: AuditEvent) => void events.push(event) },
    log: silentLogger,
  } as unknown as NodeParts
  const exchange = {
    path: '/query',
    dialect: 'v1',
    requestId: 'r',
    source: '127.0.0.1',
    principal: reader,
  } as AuthenticatedExchange
  return { events, parts, exchange }
}

const request = { action: 'v1.query', requestId: 'r', source: '127.0.0.1' }
const denial = {
  ...request,
  event: 'authorization',
  outcome: 'denied',
  who: { kind: 'token', id: 'cccccccccccccccc' },
}

test.each<[string, (of: ReturnType<typeof world>) => void, object]>([
  [
    'a write',
    ({ parts, exchange }) => requireWrite(parts, exchange, 'mine'),
    { reason: 'write-not-permitted', target: databaseId },
  ],
  [
    'a write to what is not there',
    ({ parts, exchange }) => requireWrite(parts, exchange, 'theirs'),
    { reason: 'write-not-permitted' },
  ],
  ...(['read', 'write', 'admin'] as const).map(
    (kind): [string, (of: ReturnType<typeof world>) => void, object] => [
      `a statement that needs ${kind}`,
      ({ parts, exchange }) =>
        requireStatements(parts, exchange, [
          { kind: 'none', text: 'SHOW DATABASES' },
          kind === 'admin'
            ? { kind, manages: 'users', text: 'SECRET' }
            : { kind, database: 'theirs', text: 'SECRET' },
        ]),
      { reason: `${kind}-not-permitted` },
    ],
  ),
])('%s', (_what, attempt, wanted) => {
  const of = world()
  expect(() => attempt(of)).toThrow(/not authorized/)
  expect(of.events).toEqual([{ ...denial, ...wanted }])
})

test('who comes past the gateway is nobody yet', () => {
  const { events, parts, exchange } = world()
  expect(() => requireDirectAccess(parts, exchange)).toThrow('direct access is closed')
  const reason = 'direct-access-closed'
  expect(events).toEqual([
    { ...request, event: 'authentication', outcome: 'denied', reason, who: { kind: 'nobody' } },
  ])
})

test('what is permitted leaves none of these', () => {
  const { events, parts, exchange } = world()
  requireStatements(parts, exchange, [{ kind: 'read', database: 'mine', text: '' }])
  expect(events).toEqual([])
})
