import type { ClientPath } from '../../common/request-log.ts'
import type { AuthenticatedExchange, Exchange } from './exchange.ts'
import type { NodeParts } from './parts.ts'
import { health, ping, ready } from './probes.ts'
import { queryV1 } from './v1/query.ts'
import { writeV1 } from './v1/write.ts'
import { deleteV2 } from './v2/delete.ts'
import { writeV2 } from './v2/write.ts'

export type Method = 'GET' | 'HEAD' | 'POST'

/** open: says nothing of the organization, so it needs no credentials and no gateway. */
export type Endpoint =
  | {
      readonly access: 'open'
      readonly methods: readonly Method[]
      readonly serve: (parts: NodeParts, exchange: Exchange) => Promise<void>
    }
  | {
      readonly access: 'authenticated'
      readonly methods: readonly Method[]
      readonly serve: (parts: NodeParts, exchange: AuthenticatedExchange) => Promise<void>
    }

const served: Readonly<Record<ClientPath, Endpoint>> = {
  '/ping': { access: 'open', methods: ['GET', 'HEAD'], serve: ping },
  '/health': { access: 'open', methods: ['GET', 'HEAD'], serve: health },
  '/ready': { access: 'open', methods: ['GET', 'HEAD'], serve: ready },
  '/write': { access: 'authenticated', methods: ['POST'], serve: writeV1 },
  '/query': { access: 'authenticated', methods: ['GET', 'POST'], serve: queryV1 },
  '/api/v2/write': { access: 'authenticated', methods: ['POST'], serve: writeV2 },
  '/api/v2/delete': { access: 'authenticated', methods: ['POST'], serve: deleteV2 },
}

export const endpoints: ReadonlyMap<string, Endpoint> = new Map<string, Endpoint>(Object.entries(served))
