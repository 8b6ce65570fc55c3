import { databaseName, type Database, type DatabaseStatus } from '../api/database.ts'
import { conditionsOf, statementsOf, type Standing } from './standing.ts'

export interface DatabaseFacts {
  /** null until it is served. */
  readonly databaseId: string | null
  /** null unless its nodes are told to serve it. */
  readonly organizationId: string | null
  readonly standing: Standing
}

export function databaseStatus(database: Database, facts: DatabaseFacts, now: Date): DatabaseStatus {
  const { generation } = database.metadata
  const previous = database.status?.conditions ?? []
  return {
    observedGeneration: generation,
    conditions: [...conditionsOf(statementsOf(facts.standing), previous, generation, now)],
    ...(facts.databaseId === null ? {} : { databaseId: facts.databaseId }),
    databaseName: databaseName(database),
    ...(facts.organizationId === null ? {} : { organizationId: facts.organizationId }),
  }
}
