import { randomBytes } from 'node:crypto'
import { AppError } from '../../common/errors.ts'
import { tokenId } from '../../common/ids.ts'
import type { Logger } from '../../common/log.ts'
import {
  defaultRowsPerQuery,
  noOtherAuthentication,
  stateFormatVersion,
  type StateDocument,
  type TokenState,
} from '../../common/state-document.ts'
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
      requestsPerSecond: null,
      rowsPerQuery: defaultRowsPerQuery,
      queryMemoryBytes: null,
    },
    authentication: noOtherAuthentication,
    members: [],
    audit: null,
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
  /** Ids of all databases that have data. */
  databasesWithData(): readonly string[]
  /** @throws AppError unavailable, when nothing can be deleted as long as somebody has not repaired something */
  requireWritable(): void
  dropDatabase(databaseId: string): Promise<void>
}

/**
 * Deletes the data of databases that the document does not know: a kill may have come after the document was written
 * and before the data was deleted.
 * @param kept null when no document was kept: then nothing says what was dropped
 */
export async function deleteForgotten(
  kept: StateDocument | null,
  data: DataDisposal,
  log: Logger,
): Promise<void> {
  if (kept === null) return
  const known = new Set(kept.databases.map(({ id }) => id))
  for (const databaseId of data.databasesWithData()) {
    if (known.has(databaseId)) continue
    try {
      await data.dropDatabase(databaseId)
      log.info({ databaseId }, 'data of a dropped database deleted')
    } catch (error) {
      // A full disk must not keep the node from its start; the next one tries again.
      log.error({ err: error, databaseId }, 'data of a dropped database could not be deleted')
    }
  }
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
      // Before the document changes: a database that cannot be deleted must not be lost from sight.
      data.requireWritable()
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
