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
  // A restart repairs no damage: what watches over the process has to let it live.
  const message =
    engine?.damage.length === 0 ? 'ready for queries and writes' : 'ready for queries, read-only'
  respond(
    exchange,
    engine ? 200 : 503,
    json,
    engine ? healthBody('pass', message) : healthBody('fail', 'replaying the log'),
  )
}

/**
 * `GET /ready`: the engine is open and a state document is in force, so queries can be answered, and writes unless
 * something is damaged.
 */
export async function ready(parts: NodeParts, exchange: Exchange): Promise<void> {
  const engine = parts.engine()
  const serving = engine !== null && parts.store.inForce !== null
  const damage = engine?.damage ?? []
  const more = damage.length === 0 ? {} : { readOnly: true, damage }
  respond(
    exchange,
    serving ? 200 : 503,
    json,
    serving ? readyBody(parts.startedMs, parts.clock.nowMs(), more) : JSON.stringify({ status: 'starting' }),
  )
}
