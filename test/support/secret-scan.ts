import { parseToken } from '../../common/token.ts'

/** A secret that a text holds. What it is worth is not repeated: the place is enough to find it. */
export interface FoundSecret {
  readonly what: 'token' | 'private key' | 'JSON Web Token'
  /** Counted from 1. */
  readonly line: number
}

/** As long as the one line that a PEM key of the shortest kind has. */
const longRun = /[A-Za-z0-9+/]{40,}={0,2}/g

/**
 * The secrets in a text: Holdfast tokens whose checksum is right, private keys in PEM, JSON Web Tokens; also where they are in
 * base64, as the values of a Kubernetes Secret are. A word that only looks like a token, and the first line of a key
 * without the key, are none.
 */
export function secretsIn(text: string): readonly FoundSecret[] {
  const encoded = [...text.matchAll(longRun)].flatMap(({ 0: run, index }) =>
    plainSecretsIn(Buffer.from(run, 'base64').toString('latin1')).map(({ what }) => ({ what, index })),
  )
  return [...plainSecretsIn(text), ...encoded]
    .toSorted((a, b) => a.index - b.index)
    .map(({ what, index }) => ({ what, line: text.slice(0, index).split('\n').length }))
}

type Found = Pick<FoundSecret, 'what'> & { readonly index: number }

/** Found wherever it begins, so that what stands before it hides none. */
const tokenForm = /(?=(hfd_[0-9a-f]{16}_[0-9A-Za-z]{49}))/g
/** Lines may end as a string's do, in quotes and with `\n`; an encrypted key has headers before its content. */
const keyForm =
  /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----(?:\\[nr]|[\s'"`+,|>-])*(?:[A-Za-z0-9+/]{16}|Proc-Type)/g
const jwtForm = /\beyJ[\w-]*\.[\w-]+\.[\w-]*/g

function plainSecretsIn(text: string): readonly Found[] {
  return [
    ...[...text.matchAll(tokenForm)]
      .filter(([, token]) => parseToken(token!) !== null)
      .map(({ index }): Found => ({ what: 'token', index })),
    ...[...text.matchAll(keyForm)].map(({ index }): Found => ({ what: 'private key', index })),
    ...[...text.matchAll(jwtForm)]
      .filter(([word]) => isJwt(word))
      .map(({ index }): Found => ({ what: 'JSON Web Token', index })),
  ]
}

/** Header and claims are JSON objects, and the header names an algorithm (RFC 7519, 7.2). */
function isJwt(word: string): boolean {
  const [header, claims] = word.split('.', 2).map(objectIn)
  return header !== null && header !== undefined && 'alg' in header && claims !== null
}

function objectIn(part: string): object | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return typeof value === 'object' ? value : null
  } catch {
    return null
  }
}
