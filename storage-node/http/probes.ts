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
  const open = parts.engine() !== null
  respond(
    exchange,
    open ? 200 : 503,
    json,
    open ? healthBody('pass', 'ready for queries and writes') : healthBody('fail', 'replaying the log'),
  )
}

/** `GET /ready`: the engine is open and a state document is in force, so writes and queries can be answered. */
export async function ready(parts: NodeParts, exchange: Exchange): Promise<void> {
  const serving = parts.engine() !== null && parts.store.inForce !== null
  respond(
    exchange,
    serving ? 200 : 503,
    json,
    serving ? readyBody(parts.startedMs, parts.clock.nowMs()) : JSON.stringify({ status: 'starting' }),
  )
}
