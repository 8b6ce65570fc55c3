import { randomBytes } from 'node:crypto'
import { AppError } from '../../common/errors.ts'
import { tokenId } from '../../common/ids.ts'
import { stateFormatVersion, type StateDocument, type TokenState } from '../../common/state-document.ts'
import { hashToken } from '../../common/token.ts'
import type { CatalogCommands } from '../query/influxql/context.ts'
import { withChangedPolicy, withDatabase, withoutPolicy, withPolicy } from './catalog-changes.ts'
import type { StateStore } from './state-store.ts'

export const newId = (): string => randomBytes(8).toString('hex')

/** The first document of a node that runs alone. */
export function firstDocument(organizationId: string): StateDocument {
  return {
    formatVersion: stateFormatVersion,
    organization: { id: organizationId, name: 'holdfast', displayName: 'Holdfast', directAccess: true },
    databases: [],
    tokens: [],
    limits: {
      databases: 1_000,
      series: 10_000_000,
      writeBytesPerSecond: null,
      concurrentQueries: 20,
      queryTimeoutNs: '60000000000',
    },
  }
}

/** The entry for a token that may do everything. */
export function adminTokenState(token: string): TokenState {
  const hash = hashToken(token)
  return {
    id: tokenId(hash),
    hash,
    permissions: [{ database: '*', access: ['read', 'write'] }, { manage: ['databases', 'tokens', 'users'] }],
    expiresAt: null,
  }
}

/** What a dropped database leaves behind, and how to be rid of it. */
export interface DataDisposal {
  dropDatabase(databaseId: string): Promise<void>
}

/** The catalogue of a node that runs alone: the statements change its own state document. */
export function aloneCommands(store: StateStore, data: DataDisposal): CatalogCommands {
  const idOf = (database: string): string | null =>
    store.inForce?.document.databases.find(({ name }) => name === database)?.id ?? null
  return {
    createDatabase: (database, policy) =>
      store.update((document) => withDatabase(document, database, policy, newId())),
    async dropDatabase(database) {
      const id = idOf(database)
      if (id === null) return
      await store.update((document) => ({
        ...document,
        databases: document.databases.filter((there) => there.id !== id),
      }))
      await data.dropDatabase(id)
    },
    createRetentionPolicy: (database, policy) =>
      store.update((document) => withPolicy(document, database, policy)),
    alterRetentionPolicy: (database, policy) =>
      store.update((document) => withChangedPolicy(document, database, policy)),
    dropRetentionPolicy: (database, policy) =>
      store.update((document) => withoutPolicy(document, database, policy)),
  }
}

/** On a cluster databases are resources; the statements that would change them say so. */
export const clusterCommands = (store: StateStore): CatalogCommands => {
  const refuse = async (): Promise<void> => {
    throw new AppError(
      'unsupported',
      'ERR_CATALOG_IS_DECLARED',
      'databases and retention policies are declared by Database resources on this cluster',
    )
  }
  const has = (database: string): boolean =>
    store.inForce?.document.databases.some(({ name }) => name === database) === true
  return {
    // Agents create their database at each start, and must not fail when it is there.
    createDatabase: async (database, policy) => (has(database) && policy === null ? undefined : refuse()),
    dropDatabase: refuse,
    createRetentionPolicy: refuse,
    alterRetentionPolicy: refuse,
    dropRetentionPolicy: refuse,
  }
}
