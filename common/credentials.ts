import { parseToken } from './token.ts'

/** One name and secret that a client presented; which of the two forms it used does not matter. */
export interface Credential {
  /** The user name beside the secret, "" where the form has none. */
  readonly user: string
  readonly secret: string
}

/**
 * Everything in a request that could be a credential, wherever InfluxDB clients put one: `u=` and `p=` in the URL,
 * `Authorization: Token <t>`, `Token <user>:<t>`, `Bearer <t>` and `Basic`. The gateway and the nodes read it with this
 * one function, so that they cannot disagree about who is asking.
 * @param authorization each value of the header that was sent
 * @param query of the URL; form bodies are never looked at
 */
export function credentialsOf(
  authorization: readonly string[],
  query: URLSearchParams,
): readonly Credential[] {
  const users = query.getAll('u')
  const fromQuery = query
    .getAll('p')
    .map((secret, index) => ({ user: users[index] ?? users[0] ?? '', secret }))
  const fromHeader = authorization.map(ofHeader).filter((credential) => credential !== null)
  return [...fromQuery, ...fromHeader].filter((credential) => credential.secret !== '')
}

function ofHeader(header: string): Credential | null {
  // By hand: this runs before any limit on attempts, and a pattern that tries again at each of many spaces takes seconds.
  const space = header.indexOf(' ')
  const value = space < 0 ? '' : header.slice(space).trim()
  if (value === '') return null
  switch (header.slice(0, space).toLowerCase()) {
    case 'bearer':
      return { user: '', secret: value }
    case 'token':
      return ofPair(value) ?? { user: '', secret: value }
    case 'basic':
      return ofPair(Buffer.from(value, 'base64').toString('utf8'))
    default:
      return null
  }
}

function ofPair(text: string): Credential | null {
  const colon = text.indexOf(':')
  return colon < 0 ? null : { user: text.slice(0, colon), secret: text.slice(colon + 1) }
}

/** The different Holdfast tokens among credentials: more than one means that the request contradicts itself. */
export function tokensOf(credentials: readonly Credential[]): readonly string[] {
  return [...new Set(credentials.map(({ secret }) => secret).filter((secret) => parseToken(secret) !== null))]
}
