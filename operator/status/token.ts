import type { IssuedToken, Token, TokenStatus } from '../api/token.ts'
import { conditionsOf, statementsOf, type Standing } from './standing.ts'

export interface TokenFacts {
  /** null while its organization is not there. */
  readonly organizationId: string | null
  /** The strings in force, newest first. */
  readonly tokens: readonly IssuedToken[]
  /** Name of the Secret that holds the newest string, null while there is none. */
  readonly secretName: string | null
  readonly standing: Standing
  /** When strings were last used, RFC 3339, by id; only what was heard just now. */
  readonly uses?: ReadonlyMap<string, string>
}

/** What is said of its last use may be that much behind: a token that is in use costs one write a day. */
const useBehindMs = 86_400_000

/** Strings with the last use that status says of them, or with the one that was heard of where that is to be said. */
export function withLastUses(
  tokens: readonly IssuedToken[],
  said: readonly IssuedToken[],
  heard: ReadonlyMap<string, string> = new Map(),
): IssuedToken[] {
  const saidOf = new Map(said.map(({ id, lastUsedAt }) => [id, lastUsedAt]))
  return tokens.map((issued) => {
    const before = saidOf.get(issued.id)
    const use = heard.get(issued.id)
    const isNews =
      use !== undefined && (before === undefined || Date.parse(use) - Date.parse(before) >= useBehindMs)
    const lastUsedAt = isNews ? use : before
    return lastUsedAt === undefined ? issued : { ...issued, lastUsedAt }
  })
}

export function tokenStatus(token: Token, facts: TokenFacts, now: Date): TokenStatus {
  const { generation } = token.metadata
  const previous = token.status?.conditions ?? []
  return {
    observedGeneration: generation,
    conditions: [...conditionsOf(statementsOf(facts.standing), previous, generation, now)],
    ...(facts.organizationId === null ? {} : { organizationId: facts.organizationId }),
    tokens: withLastUses(facts.tokens, token.status?.tokens ?? [], facts.uses),
    ...(facts.secretName === null ? {} : { binding: { name: facts.secretName } }),
  }
}
