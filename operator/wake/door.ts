import type { IncomingMessage, ServerResponse } from 'node:http'
import { organizationHeader } from '../../common/admin-api.ts'
import type { Clock } from '../../common/clock.ts'
import { runtimeNamespace, tokenId } from '../../common/ids.ts'
import type { RequestHandler } from '../../common/http-server.ts'
import type { Logger } from '../../common/log.ts'
import type { RateLimit } from '../../common/rate-limit.ts'
import { hashToken } from '../../common/token.ts'
import { wakePath, type WakeState } from '../../common/wake-api.ts'
import { isToSleep } from '../api/hibernation.ts'
import type { Organization } from '../api/organization.ts'
import type { Store } from '../controller/store.ts'
import { isPaused } from '../naming/labels.ts'
import { networkPolicies } from '../naming/names.ts'
import { organizationNameOf, readOrganization } from '../observe/observe.ts'
import { parseKey } from '../observe/observed.ts'
import { liveTokenId } from './live-token.ts'
import type { Wakes } from './wakes.ts'

export type WakeOutcome = WakeState | 'denied' | 'limited'

export interface DoorParts {
  readonly caches: {
    readonly organizations: Store
    readonly tokens: Store
    readonly networkPolicies: Store
  }
  /** The key of the tenant with this organization id, undefined for none. */
  readonly keyOf: (organizationId: string) => string | undefined
  /** A pass over the tenant is wanted at once. */
  readonly look: (key: string) => void
  readonly wakes: Wakes
  /** Of all requests, and of those for one organization. */
  readonly limits: { readonly all: RateLimit; readonly byOrganization: RateLimit }
  readonly count: (outcome: WakeOutcome) => void
  readonly clock: Clock
  readonly log: Logger
}

interface Decision {
  readonly outcome: WakeOutcome
  readonly retryAfterSeconds?: number
}

/** The wake door: see common/wake-api.ts. Its callers have shown the gateway's identity before a request is read. */
export function createWakeHandler(parts: DoorParts): RequestHandler {
  return async (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0]
    if (path !== wakePath) return send(response, 404, { code: 'ERR_WAKE_PATH', message: 'no such path' })
    if (request.method !== 'POST')
      return send(response, 405, { code: 'ERR_WAKE_METHOD', message: `${wakePath} takes POST` })
    const { outcome, retryAfterSeconds } = decide(parts, request)
    parts.count(outcome)
    if (outcome === 'denied')
      return send(response, 401, { code: 'ERR_WAKE_DENIED', message: 'no token of such an organization' })
    if (outcome !== 'limited') return send(response, 200, { state: outcome })
    response.setHeader('retry-after', String(retryAfterSeconds))
    return send(response, 429, { code: 'ERR_WAKE_LIMITED', message: 'too many requests' })
  }
}

function decide(parts: DoorParts, request: IncomingMessage): Decision {
  const [organizationId = ''] = request.headersDistinct[organizationHeader] ?? []
  const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1]
  const { all, byOrganization } = parts.limits
  // Who waits already asks on, however many guess beside it.
  const isKnown = token !== undefined && parts.wakes.wantedBy(organizationId) === tokenId(hashToken(token))
  // Its own limit goes first: what is refused by that takes nothing from others.
  const ownSeconds = isKnown ? 0 : byOrganization.take(organizationId.slice(0, 16))
  const waitSeconds = ownSeconds > 0 ? ownSeconds : all.take('')
  if (waitSeconds > 0) return { outcome: 'limited', retryAfterSeconds: waitSeconds }
  const found = organizationOf(parts, organizationId)
  if (!found || token === undefined) return { outcome: 'denied' }
  const { key, organization } = found
  const { namespace, name } = organization.metadata
  const tokens = parts.caches.tokens.list(namespace).filter((object) => organizationNameOf(object) === name)
  const id = liveTokenId(tokens, organizationId, token, parts.clock.nowMs())
  if (id === null) {
    parts.log.info({ organizationId }, 'wake denied')
    return { outcome: 'denied' }
  }
  const outcome = standOf(parts, organizationId, organization)
  if (outcome !== 'waking' || !isToSleep(organization)) return { outcome }
  parts.wakes.want(organizationId, id)
  parts.look(key)
  return { outcome }
}

function organizationOf(
  { caches, keyOf }: DoorParts,
  organizationId: string,
): { readonly key: string; readonly organization: Organization } | null {
  const key = keyOf(organizationId)
  if (key === undefined) return null
  const { namespace, name } = parseKey(key)
  const object = caches.organizations.get(namespace, name)
  if (!object || object.metadata.deletionTimestamp !== undefined) return null
  const { parsed } = readOrganization(object)
  return parsed ? { key, organization: parsed } : null
}

/** How it stands once it is wanted. Its nodes can be reached when the gateway's way to them is open. */
function standOf({ caches }: DoorParts, organizationId: string, organization: Organization): WakeState {
  if (organization.spec.hibernation === 'Now') return 'asleep'
  const step = organization.status?.hibernation?.step
  const isStill = step === 'Stopping' || step === 'Hibernated'
  if (isStill && isPaused(organization.metadata)) return 'asleep'
  if (step !== undefined) return 'waking'
  const isOpen = caches.networkPolicies.get(runtimeNamespace(organizationId), networkPolicies.gateway)
  return isOpen ? 'awake' : 'waking'
}

function send(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
  })
  response.end(text)
}
