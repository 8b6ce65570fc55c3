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
}

export function tokenStatus(token: Token, facts: TokenFacts, now: Date): TokenStatus {
  const { generation } = token.metadata
  const previous = token.status?.conditions ?? []
  return {
    observedGeneration: generation,
    conditions: [...conditionsOf(statementsOf(facts.standing), previous, generation, now)],
    ...(facts.organizationId === null ? {} : { organizationId: facts.organizationId }),
    tokens: facts.tokens.map((issued) => ({ ...issued })),
    ...(facts.secretName === null ? {} : { binding: { name: facts.secretName } }),
  }
}
