import { dialectOf, type WireError } from '../../common/dialect.ts'
import { allows, routeOf, routes } from '../../common/routes.ts'
import { statementNames } from '../../storage-node/query/influxql/parser.ts'
import type { AccessRow } from './access-page.ts'

/** One way to call: what has a cell in each column. */
export interface Call {
  readonly method: string
  readonly path: string
  readonly statement: string | null
}

export const nameOf = ({ method, path, statement }: Call): string =>
  [method, path, ...(statement === null ? [] : [statement])].join(' ')

export function callsOf({ methods, paths, statements }: AccessRow): readonly Call[] {
  const each: readonly (string | null)[] = statements.length > 0 ? statements : [null]
  return methods.flatMap((method) =>
    paths.flatMap((path) => each.map((statement): Call => ({ method, path, statement }))),
  )
}

/** All that the matrix must hold: what is there, each path with a method that it does not allow, and what is nowhere. */
export const allCalls: readonly Call[] = [
  ...routes.flatMap(({ name, path, methods }) =>
    methods.flatMap((method) =>
      (name === 'v1.query' ? statementNames : [null]).map((statement): Call => ({ method, path, statement })),
    ),
  ),
  ...routes.map(({ path }): Call => ({ method: 'DELETE', path, statement: null })),
  ...['/unknown', '/api/v2/unknown'].map((path): Call => ({ method: 'GET', path, statement: null })),
]

/** What follows the name of each statement, in its normal form; MARK is a measurement. */
const rests: Readonly<Record<string, string>> = {
  SELECT: 'v FROM MARK',
  DELETE: 'FROM MARK',
  'SHOW FIELD KEY': 'CARDINALITY',
  'SHOW GRANTS FOR': 'u',
  'SHOW MEASUREMENT EXACT': 'CARDINALITY',
  'SHOW TAG KEY': 'CARDINALITY',
  'SHOW TAG VALUES': 'WITH KEY = t',
  'CREATE CONTINUOUS QUERY': 'c ON metrics BEGIN SELECT mean(v) INTO x FROM m GROUP BY time(1h) END',
  'CREATE DATABASE': 'fresh',
  'CREATE USER': "u WITH PASSWORD 'secret'",
  'CREATE RETENTION POLICY': 'p ON metrics DURATION 1d REPLICATION 1',
  'CREATE SUBSCRIPTION': "s ON metrics.autogen DESTINATIONS ALL 'udp://127.0.0.1:9'",
  'DROP CONTINUOUS QUERY': 'c ON metrics',
  'DROP DATABASE': 'metrics',
  'DROP MEASUREMENT': 'MARK',
  'DROP RETENTION POLICY': 'autogen ON metrics',
  'DROP SERIES': 'FROM MARK',
  'DROP SHARD': '1',
  'DROP SUBSCRIPTION': 's ON metrics.autogen',
  'DROP USER': 'u',
  EXPLAIN: 'SELECT v FROM m',
  GRANT: 'READ ON metrics TO u',
  REVOKE: 'READ ON metrics FROM u',
  'ALTER RETENTION POLICY': 'autogen ON metrics DURATION 1h',
  'SET PASSWORD FOR': "u = 'secret'",
  'KILL QUERY': '1',
}

const textOf = (statement: string, mark: string): string =>
  `${statement} ${rests[statement] ?? ''}`.trim().replace('MARK', mark)

/** A statement as refusals call it. */
const saidOf = (statement: string, mark: string): string =>
  textOf(statement, mark)
    .replace("'secret'", '[REDACTED]')
    .replace(/ 'udp:.*/, '')

/** What a call that is allowed does to the points of a measurement, of which there may be one at 1 ns. */
export function effectOf({ method, path, statement }: Call): 'adds' | 'takes' | 'none' {
  const route = routeOf(path)
  if (route === null || !allows(route, method)) return 'none'
  if (route.name === 'v1.write' || route.name === 'v2.write') return 'adds'
  const takes = ['DELETE', 'DROP SERIES', 'DROP MEASUREMENT']
  return route.name === 'v2.delete' || (statement !== null && takes.includes(statement)) ? 'takes' : 'none'
}

export interface Sent {
  readonly path: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
}

/** @param mark the measurement that the call writes to or deletes from */
export function requestOf({ method, path, statement }: Call, mark: string): Sent {
  const sent = { method, path, headers: {}, body: null }
  const route = routeOf(path)
  if (route === null || !allows(route, method)) return sent
  const points = `${mark} v=1 1`
  switch (route.name) {
    case 'v1.write':
      return { ...sent, path: `${path}?db=metrics`, body: points }
    case 'v2.write':
      return { ...sent, path: `${path}?bucket=metrics`, body: points }
    case 'v2.delete': {
      const range = { start: '1970-01-01T00:00:00Z', stop: '1970-01-01T00:00:01Z' }
      const body = JSON.stringify({ ...range, predicate: `_measurement=${mark}` })
      return { ...sent, path: `${path}?bucket=metrics`, body }
    }
    case 'v1.query': {
      const form = new URLSearchParams({ db: 'metrics', q: textOf(statement ?? '', mark) }).toString()
      if (method === 'GET') return { ...sent, path: `${path}?${form}` }
      return { ...sent, headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: form }
    }
    default:
      return sent
  }
}

/** What an answer amounts to, as the page writes it. */
export function cellOf(status: number, body: string): string {
  const reason = reasons.find(([of, pattern]) => of === status && pattern.test(body))?.[2]
  // A statement that fails for another reason than these has no cell that could stand for it.
  const failed =
    status === 200 && body.startsWith('{"results"') && body.includes('"error"') ? body : undefined
  const more = reason ?? failed
  return more === undefined ? String(status) : `${status}/${more}`
}

const reasons: readonly (readonly [number, RegExp, string])[] = [
  [
    200,
    /"error":"databases and retention policies are declared by Database resources on this cluster"/,
    'declared',
  ],
  [200, /"error":"[A-Z ]+ is not supported yet"/, 'unsupported'],
  [403, /requires READ on metrics"/, 'read'],
  [403, /requires WRITE on metrics"|to write to database|permissions (for write|to delete)"/, 'write'],
  [403, /requires admin privilege"/, 'admin'],
]

/** The body of a 401 or 403, with the headers that only errors have; one 401 for each dialect. */
export function refusalOf(call: Call, mark: string, cell: string, tokenId: string): WireError {
  const isV2 = dialectOf(call.path) === 'v2'
  if (cell === '401') return isV2 ? unauthorizedV2 : unauthorizedV1
  if (isV2) return errorV2('forbidden', v2Message(call))
  const message = v1Message(call, mark, cell, tokenId)
  return {
    headers: { 'content-type': 'application/json', 'x-influxdb-error': message },
    body: `${JSON.stringify({ error: message })}\n`,
  }
}

const errorV2 = (code: string, message: string): WireError => ({
  headers: { 'content-type': 'application/json; charset=utf-8', 'x-platform-error-code': code },
  body: JSON.stringify({ code, message }),
})
const unauthorizedV2 = errorV2('unauthorized', 'unauthorized access')
const unauthorizedV1: WireError = {
  headers: { 'content-type': 'application/json', 'www-authenticate': 'Basic realm="InfluxDB"' },
  body: '{"error":"authorization failed"}\n',
}

const v2Message = ({ path }: Call): string =>
  `insufficient permissions ${path === '/api/v2/delete' ? 'to delete' : 'for write'}`

function v1Message({ statement }: Call, mark: string, cell: string, tokenId: string): string {
  if (statement === null) return `"${tokenId}" user is not authorized to write to database "metrics"`
  const missing =
    { '403/read': 'READ on metrics', '403/write': 'WRITE on metrics' }[cell] ?? 'admin privilege'
  const said = saidOf(statement, mark)
  return `error authorizing query: ${tokenId} not authorized to execute statement '${said}', requires ${missing}`
}
