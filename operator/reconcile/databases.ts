import { databaseRules, violations } from '../api/cel.ts'
import type { Database, DatabaseSpec } from '../api/database.ts'
import type { Organization } from '../api/organization.ts'
import { unsupportedInDatabase } from '../api/unsupported.ts'
import { admitDatabases } from '../desired/state-document.ts'
import { isPaused } from '../naming/labels.ts'
import { stalled, type Standing } from '../status/standing.ts'

/** What becomes of the databases of an organization. */
export interface DatabaseDecisions {
  /** Those that the nodes are to serve, in the form in which they are to be served. */
  readonly served: readonly Database[]
  /** What stands in the way of the others, or of a newer form of a served one, by uid. */
  readonly holds: ReadonlyMap<string, Standing>
  /** The forms to be remembered, by uid. */
  readonly forms: ReadonlyMap<string, DatabaseSpec>
  /** Why nothing may be changed on the nodes: what they serve is not known any more. null if all is known. */
  readonly unknown: string | null
}

/**
 * A spec that cannot be acted on leaves what is served as it was: the form that could be acted on last goes on. One
 * that was never served is left out. Deleted ones are in neither.
 * @param remembered the forms that could be acted on last, by uid
 */
export function decideDatabases(
  organization: Organization,
  databases: readonly Database[],
  remembered: ReadonlyMap<string, DatabaseSpec>,
): DatabaseDecisions {
  const holds = new Map<string, Standing>()
  const candidates: Database[] = []
  let unknown: string | null = null
  for (const database of databases.filter(({ metadata }) => metadata.deletionTimestamp === undefined)) {
    const problem = databaseProblem(database)
    if (problem) holds.set(database.metadata.uid, problem)
    const form = remembered.get(database.metadata.uid)
    if (!problem && !isPaused(database.metadata)) candidates.push(database)
    else if (form) candidates.push({ ...database, spec: form })
    else if (wasServed(database)) {
      unknown = `Database ${database.metadata.name}: its spec cannot be acted on, and the one in force is not known any more; mend the spec`
    }
  }
  const { admitted, refused } = admitDatabases(organization, candidates)
  for (const { database, reason, message } of refused)
    holds.set(database.metadata.uid, stalled(reason, message))
  const forms = new Map(candidates.map(({ metadata, spec }) => [metadata.uid, spec]))
  return { served: admitted, holds, forms, unknown }
}

/** Why a Database's spec cannot be acted on, null if it can. */
export function databaseProblem(database: Database): Standing | null {
  const [violation] = violations(databaseRules, database)
  if (violation) return stalled('InvalidSpec', violation.message)
  const [unsupported] = unsupportedInDatabase(database.spec)
  return unsupported ? stalled('NotYetSupported', unsupported.message) : null
}

/** Status names the organization only of a database that its nodes were told to serve. */
function wasServed({ status }: Database): boolean {
  return status?.organizationId !== undefined
}
