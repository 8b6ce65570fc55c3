import { canonicalJson } from '../../common/state-document.ts'
import { databaseRules, violations } from '../api/cel.ts'
import { databaseName, databaseSchema, type Database, type DatabaseSpec } from '../api/database.ts'
import type { Organization } from '../api/organization.ts'
import { holderOf, holdingsWith, type Holding } from '../desired/holdings.ts'
import { admitDatabases } from '../desired/state-document.ts'
import type { KubeObject } from '../kube/object.ts'
import { isPaused } from '../naming/labels.ts'
import { organizationIdOf } from '../naming/organization-id.ts'
import type { Seen } from '../observe/observed.ts'
import { stalled, type Standing } from '../status/standing.ts'
import type { GoodForms } from './last-good.ts'
import { isDeleting } from './write.ts'

/** What becomes of the databases of an organization. */
export interface DatabaseDecisions {
  /** Those that the nodes are to serve, in the form in which they are to be served. */
  readonly served: readonly Database[]
  /** What stands in the way of the others, or of a newer form of a served one, by uid. */
  readonly holds: ReadonlyMap<string, Standing>
  /** The forms to be remembered, by uid. */
  readonly forms: ReadonlyMap<string, DatabaseSpec>
  /** Whose the data of all databases is; see desired/holdings.ts. */
  readonly holdings: readonly Holding[]
  /** Why nothing may be changed on the nodes: what they serve is not known any more. null if all is known. */
  readonly unknown: string | null
}

/**
 * A spec that cannot be acted on leaves what is served as it was: the form that could be acted on last goes on. One
 * that was never served is left out. Deleted ones are in neither.
 * @param remembered the forms that could be acted on last, and whose the data was
 * @param frozen why nothing that is not remembered comes into force, null if it does
 */
export function decideDatabases(
  organization: Organization,
  databases: readonly Seen<Database>[],
  remembered: Pick<GoodForms, 'databases' | 'holdings'>,
  frozen: Standing | null = null,
): DatabaseDecisions {
  const holds = new Map<string, Standing>()
  const candidates: Database[] = []
  let unknown: string | null = null
  for (const { object, parsed, problem: unread } of databases) {
    if (isDeleting(object)) continue
    const uid = object.metadata.uid ?? ''
    const before = formOf(object, remembered.databases.get(uid))
    const problem = parsed
      ? (databaseProblem(parsed) ?? (frozen && !isAs(parsed, before) ? frozen : null))
      : stalled('InvalidSpec', unread ?? '')
    if (problem) holds.set(uid, problem)
    if (parsed && !problem && !isPaused(parsed.metadata)) candidates.push(parsed)
    else if (before) candidates.push(before)
    else if (wasServed(object)) {
      unknown = `Database ${object.metadata.name}: its spec cannot be acted on, and the one in force is not known any more; mend the spec`
    }
  }
  const { admitted, refused } = admitDatabases(organization, candidates)
  for (const { database, reason, message } of refused)
    holds.set(database.metadata.uid, stalled(reason, message))
  const forms = new Map(admitted.map(({ metadata, spec }) => [metadata.uid, spec]))
  for (const { database } of refused) {
    // One that was served is known when there is room for it again. What never was takes no room here.
    const { uid } = database.metadata
    const before = remembered.databases.get(uid)
    if (before) forms.set(uid, before)
  }
  const holders = new Set(databases.filter(keepsData).map(({ object }) => holderOf(object)))
  const id = organizationIdOf(organization)
  const holdings = holdingsWith(remembered.holdings, admitted, holders, id)
  return { served: admitted, holds, forms, holdings, unknown }
}

/**
 * What status says of the databases that are served: all that is left where the record of it cannot be read. One whose
 * spec cannot be acted on is not among them.
 */
export function servedAsSaid(
  databases: readonly Seen<Database>[],
  organizationId: string,
): Pick<GoodForms, 'databases' | 'holdings'> {
  const forms = new Map<string, DatabaseSpec>()
  const holdings: Holding[] = []
  for (const { parsed } of databases) {
    if (!parsed || databaseProblem(parsed) || isPaused(parsed.metadata)) continue
    const { databaseId, organizationId: servedBy } = parsed.status ?? {}
    if (databaseId === undefined || servedBy !== organizationId) continue
    forms.set(parsed.metadata.uid, parsed.spec)
    holdings.push({ id: databaseId, name: databaseName(parsed), holder: holderOf(parsed) })
  }
  return { databases: forms, holdings }
}

/** Whose data nobody else may have: of those that are being deleted, the ones that have it dropped. */
const keepsData = ({ object, parsed }: Seen<Database>): boolean =>
  !isDeleting(object) || parsed?.spec.deletionPolicy === 'Delete'

/** Why a Database's spec cannot be acted on, null if it can. */
export function databaseProblem(database: Database): Standing | null {
  const [violation] = violations(databaseRules, database)
  return violation ? stalled('InvalidSpec', violation.message) : null
}

const isAs = ({ spec }: Database, before: Database | undefined): boolean =>
  before !== undefined && canonicalJson(spec) === canonicalJson(before.spec)

/** A Database as it was in force. */
function formOf(object: KubeObject, spec: DatabaseSpec | undefined): Database | undefined {
  return spec && databaseSchema.safeParse({ ...object, spec, status: undefined }).data
}

/** Status names the organization only of a database that its nodes were told to serve. */
function wasServed(object: KubeObject): boolean {
  const status = object['status']
  return typeof status === 'object' && status !== null && 'organizationId' in status
}
