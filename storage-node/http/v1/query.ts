import { AppError } from '../../../common/errors.ts'
import type { StateDocument } from '../../../common/state-document.ts'
import { mayAccess, refusalOf, type Principal } from '../../auth/principal.ts'
import { encodeCsv } from '../../query/encode/csv.ts'
import { encodeJson } from '../../query/encode/json.ts'
import type { Statement } from '../../query/influxql/ast.ts'
import type { QueryContext } from '../../query/influxql/context.ts'
import { HeldBytes } from '../../query/held-bytes.ts'
import { needsOf, parseQuery, runQuery } from '../../query/influxql/query.ts'
import type { StatementResult } from '../../query/result.ts'
import { requireStatements } from '../access.ts'
import { withBody } from '../body.ts'
import type { AuthenticatedExchange } from '../exchange.ts'
import { fairReader } from '../fair-reader.ts'
import type { QuerySlot } from '../limits.ts'
import { requireEngine, requireState, type NodeParts } from '../parts.ts'
import { respond, respondWithStream } from '../respond.ts'
import { answerForm } from './form.ts'
import { formLimits, hasForm, queryRequestOf, readForm, type QueryRequest } from './query-request.ts'

/** `GET` and `POST /query`: InfluxQL, InfluxDB 1.8. */
export async function queryV1(parts: NodeParts, exchange: AuthenticatedExchange): Promise<void> {
  const asked = await readRequest(parts, exchange)
  const statements = parseQuery(asked.text, asked.parameters)
  requireStatements(parts, exchange, needsOf(statements, asked.database))

  const { limits } = requireState(parts).document
  const slot = parts.slots.take(limits.concurrentQueries)
  const timeout = new AbortController()
  const timer = setTimeout(
    () => timeout.abort(new AppError('unavailable', 'ERR_QUERY_TIMEOUT', 'query-timeout limit exceeded')),
    timeoutMs(limits.queryTimeoutNs),
  )
  const finish = () => {
    clearTimeout(timer)
    slot.release()
  }
  // An asynchronous query outlives its request.
  const signal = asked.async ? timeout.signal : AbortSignal.any([timeout.signal, exchange.clientGone])
  try {
    const context = contextOf(parts, exchange, asked, limits, slot, signal)
    if (asked.async) {
      respond(exchange, 204, {}, '')
      await drain(parts, exchange, runQuery(statements, context))
    } else {
      await answer(parts, exchange, asked, statements, context)
    }
  } finally {
    finish()
  }
}

/** The longest that a timer of Node can run; 0 stands for no limit. */
const maxTimerMs = 2_147_483_647

function timeoutMs(queryTimeoutNs: string): number {
  const ms = Number(BigInt(queryTimeoutNs) / 1_000_000n)
  return ms === 0 ? maxTimerMs : Math.min(ms, maxTimerMs)
}

async function readRequest(parts: NodeParts, exchange: AuthenticatedExchange): Promise<QueryRequest> {
  const { request, query } = exchange
  if (request.method !== 'POST' || !hasForm(request)) return queryRequestOf(query, null)
  return withBody(
    exchange,
    parts.bodies,
    async (body) => queryRequestOf(query, await readForm(request, body)),
    formLimits.bytes,
  )
}

function contextOf(
  parts: NodeParts,
  exchange: AuthenticatedExchange,
  asked: QueryRequest,
  limits: StateDocument['limits'],
  slot: QuerySlot,
  signal: AbortSignal,
): QueryContext {
  return {
    reader: fairReader(requireEngine(parts), parts.turns.end, (ended) => slot.mayRead(ended)),
    catalog: { databases: () => readableDatabases(parts, exchange.principal) },
    database: asked.database,
    retentionPolicy: asked.retentionPolicy,
    nowNs: parts.clock.nowNs(),
    readOnly: exchange.request.method === 'GET',
    chunkSize: asked.chunkSize,
    authorize: (needs) => refusalOf(exchange.principal, needs),
    commands: parts.commands,
    deletions: {
      databaseId: (name) =>
        requireState(parts).document.databases.find((database) => database.name === name)?.id ?? null,
      delete: (request) => requireEngine(parts).delete(request),
    },
    limits: { ...parts.queryLimits, maxRows: limits.rowsPerQuery },
    held: limits.queryMemoryBytes === null ? parts.held : new HeldBytes(limits.queryMemoryBytes, parts.held),
    endTurn: parts.turns.end,
    signal,
  }
}

/** A caller never learns of databases that it may not read. */
function readableDatabases(parts: NodeParts, principal: Principal) {
  return requireState(parts).document.databases.filter(({ name }) => mayAccess(principal, 'read', name))
}

async function answer(
  parts: NodeParts,
  exchange: AuthenticatedExchange,
  asked: QueryRequest,
  statements: readonly Statement[],
  context: QueryContext,
): Promise<void> {
  const results = runQuery(statements, context)
  const { epoch, chunked } = asked
  const { contentType, pretty } = answerForm(exchange.request.headers.accept, exchange.query)
  await respondWithStream(
    exchange,
    200,
    { 'content-type': contentType },
    contentType === 'application/json'
      ? encodeJson(results, { epoch, pretty, chunked }, parts.turns.end)
      : encodeCsv(results, { epoch }, parts.turns.end),
    parts.turns.end,
  )
}

/** Nobody waits for the answer, so what went wrong goes to the log. */
async function drain(
  parts: NodeParts,
  exchange: AuthenticatedExchange,
  results: AsyncGenerator<StatementResult>,
): Promise<void> {
  for await (const result of results) {
    if (result.error === null) continue
    parts.log.warn({ requestId: exchange.requestId, error: result.error }, 'asynchronous query failed')
  }
}
