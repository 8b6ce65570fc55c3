import { AppError } from '../../common/errors.ts'
import type { Database } from '../api/database.ts'
import { tokenSecretName, type Token } from '../api/token.ts'
import { droppedId, type Holding } from '../desired/holdings.ts'
import type { KubeObject } from '../kube/object.ts'
import { resources } from '../kube/resource.ts'
import { isPaused } from '../naming/labels.ts'
import type { PodReport, Runtime } from '../observe/runtime.ts'
import type { Observed, Seen } from '../observe/observed.ts'
import { databaseStatus } from '../status/database.ts'
import { pausedStatus } from '../status/organization.ts'
import { progressing, type Standing } from '../status/standing.ts'
import { tokenStatus } from '../status/token.ts'
import { databaseProblem } from './databases.ts'
import { eachInTime } from './each.ts'
import { readSecret } from './issue-mark.ts'
import { forgetHoldings } from './last-good.ts'
import type { Pass } from './pass.ts'
import { addressOf } from './push.ts'
import { tokenProblem } from './tokens.ts'
import { sayUnreadable } from './unreadable.ts'
import { eventTarget, isDeleting, releaseFinalizer, saysMore, writeStatus } from './write.ts'

/** What there is of an organization's nodes, and what they said to its state document. */
export interface NodesHeard {
  readonly runtime: Runtime
  readonly reports: readonly PodReport[]
  /** None goes by an older document, nor will one that starts next. */
  readonly isRevoked: boolean
}

/** Databases and Tokens that are not being deleted, in a form that could be read. */
export function living<Kind>(members: readonly Seen<Kind>[]): readonly (Seen<Kind> & { parsed: Kind })[] {
  return members.filter((seen): seen is Seen<Kind> & { parsed: Kind } => {
    return seen.parsed !== null && !isDeleting(seen.object)
  })
}

/** Lets go what is being deleted of an organization that is not there: no node holds anything of it. */
export async function releaseMembers(pass: Pass, observed: Observed): Promise<void> {
  for (const { object } of observed.databases.filter((seen) => isDeleting(seen.object))) {
    await releaseFinalizer(pass, pass.caches.databases, object)
  }
  for (const { object } of observed.tokens.filter((seen) => isDeleting(seen.object))) {
    await releaseFinalizer(pass, pass.caches.tokens, object)
  }
}

/**
 * Says of all members why they wait; a problem of their own goes first.
 * @returns whether all had their turn
 */
export async function membersWait(pass: Pass, observed: Observed, standing: Standing): Promise<boolean> {
  await sayUnreadable(pass, observed)
  const writes: (() => Promise<unknown>)[] = []
  for (const { object, parsed } of living(observed.databases)) {
    const status = waitingDatabase(pass, parsed, standing)
    if (saysMore(object, status)) writes.push(() => writeStatus(pass, pass.caches.databases, object, status))
  }
  for (const { object, parsed } of living(observed.tokens)) {
    const status = waitingToken(pass, parsed, standing)
    if (saysMore(object, status)) writes.push(() => writeStatus(pass, pass.caches.tokens, object, status))
  }
  return eachInTime(pass.clock, writes, (write) => write())
}

function waitingDatabase(pass: Pass, database: Database, standing: Standing) {
  if (isPaused(database.metadata)) return pausedStatus(database.status, pass.now)
  const facts = {
    databaseId: database.status?.databaseId ?? null,
    organizationId: database.status?.organizationId ?? null,
    standing: databaseProblem(database) ?? standing,
  }
  return databaseStatus(database, facts, pass.now)
}

function waitingToken(pass: Pass, token: Token, standing: Standing) {
  if (isPaused(token.metadata)) return pausedStatus(token.status, pass.now)
  const facts = { ...tokenFacts(token), standing: tokenProblem(token) ?? standing }
  return tokenStatus(token, facts, pass.now)
}

/** What status says of a Token, to be said again. */
function tokenFacts({ status }: Token) {
  return {
    organizationId: status?.organizationId ?? null,
    tokens: status?.tokens ?? [],
    secretName: status?.binding?.name ?? null,
  }
}

/**
 * Ends the deletion of Tokens once no node accepts them any more: their Secrets go, then they do.
 * @returns whether all that are being deleted are gone
 */
export async function finishTokens(
  pass: Pass,
  organizationId: string,
  observed: Observed,
  { isRevoked }: NodesHeard,
): Promise<boolean> {
  const deleting = observed.tokens.filter(({ object }) => isDeleting(object))
  if (deleting.length === 0) return true
  if (!isRevoked) {
    await tokensAreGoing(pass, deleting)
    return false
  }
  return eachInTime(pass.clock, deleting, async ({ object, parsed }) => {
    if (parsed && parsed.metadata.finalizers.length > 0) {
      await deleteTokenSecret(pass, organizationId, parsed)
      if ((parsed.status?.tokens.length ?? 0) > 0) {
        const message = 'no storage node accepts it any more'
        pass.events.record(eventTarget(parsed), 'Normal', 'TokenRevoked', message)
      }
    }
    await releaseFinalizer(pass, pass.caches.tokens, object)
  })
}

async function tokensAreGoing(pass: Pass, deleting: readonly Seen<Token>[]): Promise<void> {
  const standing = progressing(
    'Deleting',
    'waiting for every storage node to confirm that it refuses the token',
  )
  await eachInTime(pass.clock, deleting, async ({ object, parsed }) => {
    if (!parsed) return
    const status = tokenStatus(parsed, { ...tokenFacts(parsed), standing }, pass.now)
    await writeStatus(pass, pass.caches.tokens, object, status)
  })
}

/** The garbage collector would do it too, later; a string that opens nothing should not lie about. */
async function deleteTokenSecret(pass: Pass, organizationId: string, token: Token): Promise<void> {
  const name = token.status?.binding?.name ?? tokenSecretName(token)
  if (name === null) return
  try {
    const secret = await pass.client.get(resources.secrets, { namespace: token.metadata.namespace, name })
    const found = readSecret(pass.authority.operatorKey, token.metadata.uid, organizationId, secret)
    if (found.kind === 'edited' || found.kind === 'issued') await pass.client.delete(found.secret)
  } catch (error) {
    if (!(error instanceof AppError && (error.kind === 'forbidden' || error.kind === 'conflict'))) throw error
    pass.log.info({ name, reason: error.message }, 'secret left to the garbage collector')
  }
}

/**
 * Ends the deletion of Databases once no node serves them. With deletionPolicy Delete their data goes first, from
 * every node, and then the memory of it.
 * @param holdings null where the record of them cannot be read: then nobody knows which data to drop
 * @returns whether all that are being deleted are gone
 */
export async function finishDatabases(
  pass: Pass,
  organizationId: string,
  observed: Observed,
  heard: NodesHeard,
  holdings: readonly Holding[] | null,
): Promise<boolean> {
  const deleting = observed.databases.filter(({ object }) => isDeleting(object))
  const done: KubeObject[] = []
  const dropped = new Set<string>()
  const allSeen = await eachInTime(pass.clock, deleting, async ({ object, parsed }) => {
    const drops = parsed?.spec.deletionPolicy === 'Delete'
    const databaseId = drops && holdings ? droppedId(holdings, object) : null
    const problem = !heard.isRevoked
      ? 'waiting for every storage node to let go of the database'
      : drops && !holdings
        ? 'waiting until the record of whose the data is can be read; the Organization says more'
        : await dropData(pass, organizationId, databaseId, heard)
    if (problem !== null) return parsed ? databaseIsGoing(pass, parsed, object, problem) : undefined
    if (databaseId !== null) dropped.add(databaseId)
    return void done.push(object)
  })
  if (dropped.size > 0) await forgetHoldings(pass, organizationId, dropped)
  const allReleased = await eachInTime(pass.clock, done, (object) =>
    releaseFinalizer(pass, pass.caches.databases, object),
  )
  return allSeen && allReleased && done.length === deleting.length
}

/** @returns what keeps the data, null if nothing is left to drop */
async function dropData(
  pass: Pass,
  organizationId: string,
  databaseId: string | null,
  { runtime, reports }: NodesHeard,
): Promise<string | null> {
  // A node that does not run holds data too, and so does a volume whose StatefulSet is being replaced.
  const volumes = Math.max(runtime.statefulSet?.replicas ?? 0, runtime.claims.length)
  if (databaseId === null || volumes === 0) return null
  const confirmed = reports.filter(({ result }) => result === 'confirmed')
  if (confirmed.length < volumes) return 'waiting for every storage node to run'
  for (const { pod } of confirmed) {
    try {
      await pass.nodes.deleteDatabase(addressOf(organizationId, pod), databaseId, pass.signal)
    } catch (error) {
      // One that does not go keeps no other from going; it is tried again.
      if (!(error instanceof AppError) || pass.signal.aborted) throw error
      pass.log.warn({ databaseId, pod: pod.name, reason: error.message }, 'database data not deleted')
      return `${pod.name} has not deleted the data: ${error.message}`
    }
  }
  pass.log.info({ databaseId }, 'database data deleted')
  return null
}

async function databaseIsGoing(
  pass: Pass,
  database: Database,
  object: Seen<Database>['object'],
  message: string,
): Promise<void> {
  const facts = {
    databaseId: database.status?.databaseId ?? null,
    organizationId: database.status?.organizationId ?? null,
    standing: progressing('Deleting', message),
  }
  await writeStatus(pass, pass.caches.databases, object, databaseStatus(database, facts, pass.now))
}
