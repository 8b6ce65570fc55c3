import { healthBody, pingBody, readyBody } from '../../common/probes.ts'
import type { Exchange } from './exchange.ts'
import type { NodeParts } from './parts.ts'
import { respond } from './respond.ts'

const json = { 'content-type': 'application/json; charset=utf-8' }

/** `GET` and `HEAD /ping`: the process answers. */
export async function ping(_parts: NodeParts, exchange: Exchange): Promise<void> {
  const silent = ['', '0', 'false'].includes(exchange.query.get('verbose') ?? '')
  respond(
    exchange,
    silent ? 204 : 200,
    silent ? {} : { 'content-type': 'application/json' },
    silent ? '' : pingBody(),
  )
}

/** `GET /health`: the engine is open. */
export async function health(parts: NodeParts, exchange: Exchange): Promise<void> {
  const engine = parts.engine()
  // A restart repairs neither damage nor a disk: what watches over the process has to let it live.
  const refusing = engine?.troubles.find(({ refusesWrites }) => refusesWrites)
  const writable = refusing
    ? `ready for queries, writes are refused: ${refusing.message}`
    : 'ready for queries and writes'
  const message = engine?.damage.length === 0 ? writable : 'ready for queries, read-only'
  respond(
    exchange,
    engine ? 200 : 503,
    json,
    engine ? healthBody('pass', message) : healthBody('fail', 'replaying the log'),
  )
}

/**
 * `GET /ready`: the engine is open and a state document is in force, so queries can be answered, and writes unless
 * something is damaged or `troubles` says that they are refused. It stays 200 then: who is not ready gets no queries.
 */
export async function ready(parts: NodeParts, exchange: Exchange): Promise<void> {
  const engine = parts.engine()
  const serving = engine !== null && parts.store.inForce !== null
  const damage = engine?.damage ?? []
  const troubles = engine?.troubles ?? []
  const more = {
    ...(damage.length > 0 && { readOnly: true, damage }),
    ...(troubles.length > 0 && { troubles }),
  }
  respond(
    exchange,
    serving ? 200 : 503,
    json,
    serving ? readyBody(parts.startedMs, parts.clock.nowMs(), more) : JSON.stringify({ status: 'starting' }),
  )
}
