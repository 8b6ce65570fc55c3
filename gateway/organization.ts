import { credentialsOf, tokensOf, type Credential } from '../common/credentials.ts'
import { isId } from '../common/ids.ts'
import { hashToken, parseToken } from '../common/token.ts'

/** What of a request says whose it is. */
export interface Claims {
  readonly authorization: readonly string[]
  readonly host: string | undefined
  readonly query: URLSearchParams
}

export type Routing =
  /** `credentialKey` stands for the credential in the rate limits; it cannot be turned back into it. */
  | {
      readonly to: 'organization'
      readonly id: string
      readonly credentialKey: string
      /** The token, whose checksum is right; null where there is none. */
      readonly token: string | null
    }
  | { readonly to: 'nobody'; readonly reason: 'no-credential' | 'no-organization' | 'disagreement' }

/**
 * The organization that a request is for: named by a Holdfast token, by the host `<id>.<base domain>`, by a user name
 * `name@<id>`, and by `orgID` or `org` where it is an id. All that are there must agree. Nothing is checked beyond
 * form: the nodes authenticate.
 */
export function routingOf(claims: Claims, baseDomain: string | null): Routing {
  const credentials = credentialsOf(claims.authorization, claims.query)
  if (credentials.length === 0) return { to: 'nobody', reason: 'no-credential' }
  const tokens = tokensOf(credentials)
  const named = new Set([
    ...tokens.map((token) => parseToken(token)!.organizationId),
    ...idOfHost(claims.host, baseDomain),
    ...credentials.flatMap(idOfUser),
    ...[...claims.query.getAll('orgID'), ...claims.query.getAll('org')].filter(isId),
  ])
  const [id] = named
  if (id === undefined) return { to: 'nobody', reason: 'no-organization' }
  if (named.size > 1 || tokens.length > 1) return { to: 'nobody', reason: 'disagreement' }
  const [token = null] = tokens
  return { to: 'organization', id, token, credentialKey: hashToken(token ?? JSON.stringify(credentials)) }
}

function idOfHost(host: string | undefined, baseDomain: string | null): readonly string[] {
  if (host === undefined || baseDomain === null) return []
  const name = host.toLowerCase().replace(/:[0-9]*$/, '')
  const suffix = `.${baseDomain.toLowerCase()}`
  const id = name.slice(0, -suffix.length)
  return name.endsWith(suffix) && isId(id) ? [id] : []
}

function idOfUser({ user }: Credential): readonly string[] {
  const id = user.slice(user.lastIndexOf('@') + 1)
  return user.includes('@') && isId(id) ? [id] : []
}
