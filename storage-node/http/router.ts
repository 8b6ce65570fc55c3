import type { RouteName } from '../../common/routes.ts'
import type { AuthenticatedExchange, Exchange } from './exchange.ts'
import type { NodeParts } from './parts.ts'
import { health, ping, ready } from './probes.ts'
import { queryV1 } from './v1/query.ts'
import { writeV1 } from './v1/write.ts'
import { deleteV2 } from './v2/delete.ts'
import { writeV2 } from './v2/write.ts'

type Endpoint<Of extends Exchange> = (parts: NodeParts, exchange: Of) => Promise<void>

/** They say nothing of the organization, so they need no credentials and no gateway. */
export const probes: Readonly<Record<RouteName<'probe'>, Endpoint<Exchange>>> = { ping, health, ready }

export const endpoints: Readonly<Record<RouteName<'node'>, Endpoint<AuthenticatedExchange>>> = {
  'v1.write': writeV1,
  'v1.query': queryV1,
  'v2.write': writeV2,
  'v2.delete': deleteV2,
}
