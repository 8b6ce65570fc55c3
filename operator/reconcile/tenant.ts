import { AppError } from '../../common/errors.ts'
import { runtimeNamespace } from '../../common/ids.ts'
import type { Organization } from '../api/organization.ts'
import type { Reconcile, Result } from '../controller/controller.ts'
import type { KubeObject } from '../kube/object.ts'
import { isPaused } from '../naming/labels.ts'
import { organizationIdOf } from '../naming/organization-id.ts'
import { parseKey, type Observed, type Seen } from '../observe/observed.ts'
import { observeTenant } from '../observe/observe.ts'
import { organizationStatus, pausedStatus } from '../status/organization.ts'
import { progressing, stalled } from '../status/standing.ts'
import { membersWait, releaseMembers } from './members.ts'
import { retireOrphans } from './orphans.ts'
import type { Pass, TenantContext } from './pass.ts'
import { releaseTenantBinding, retireRuntime } from './retire.ts'
import { settleOrganization } from './settle.ts'
import { sayCannotBeRead, sayOfOrganization } from './unreadable.ts'
import { hasFinalizer, isDeleting, releaseFinalizer, writeStatus } from './write.ts'

/** While something is being taken down: the watch tells of most of it sooner. */
const retireRetryMs = 1_000
const orphanRetryMs = 2_000

/** The story of one pass over one tenant. */
export function reconcileTenant(context: TenantContext): Reconcile {
  return async (key, log, signal) => {
    const pass: Pass = {
      ...context,
      client: context.client.with({ signal }),
      key,
      now: new Date(context.clock.nowMs()),
      log,
      signal,
    }
    const observed = observeTenant(parseKey(key), context.caches)
    const seen = observed.organization
    if (!seen) return withoutOrganization(pass, observed)
    const isAlone = await retireBefore(pass, observed)
    const result = await settle(pass, observed, seen)
    return isAlone ? result : { requeueAfterMs: Math.min(result.requeueAfterMs ?? Infinity, orphanRetryMs) }
  }
}

function settle(pass: Pass, observed: Observed, seen: Seen<Organization>): Promise<Result> {
  if (!seen.parsed) return unreadable(pass, observed, seen.object, seen.problem ?? '')
  if (isPaused(seen.parsed.metadata)) return paused(pass, seen, seen.parsed)
  const isRead = seen.problem === null
  if (isDeleting(seen.object)) {
    const version = seen.parsed.status?.version ?? null
    return retire(pass, observed, seen.object, isRead ? seen.parsed : null, version)
  }
  return settleOrganization(pass, observed, seen.parsed, isRead ? null : stalled('InvalidSpec', seen.problem))
}

/**
 * What runs for one before it under the same name. What holds that up, as a machine that is gone does, does not hold up
 * the one that is there.
 * @returns whether there is no such thing any more
 */
async function retireBefore(pass: Pass, observed: Observed): Promise<boolean> {
  try {
    return await retireOrphans(pass, observed)
  } catch (error) {
    if (!(error instanceof AppError) || pass.signal.aborted || error.code === 'ERR_KUBE_FENCED') throw error
    pass.log.warn(
      { reason: error.message },
      'what runs for an Organization before this one is not taken down',
    )
    return false
  }
}

/** A reference to what is not there is an ordinary observation: the pass that makes it good comes by watch. */
async function withoutOrganization(pass: Pass, observed: Observed): Promise<Result> {
  pass.metrics.tenantGone(pass.key)
  // While nodes run that accept them, nothing is let go.
  if (!(await retireOrphans(pass, observed))) return { requeueAfterMs: orphanRetryMs }
  await releaseMembers(pass, observed)
  const message = `spec.organization: no Organization "${observed.key.name}" in namespace ${observed.key.namespace} yet`
  const said = await membersWait(pass, observed, progressing('OrganizationNotFound', message))
  return said ? {} : { requeueAfterMs: 0 }
}

/** The schema refuses such objects, so this one is older or newer than this operator, and nothing says who it is. */
async function unreadable(
  pass: Pass,
  observed: Observed,
  object: KubeObject,
  problem: string,
): Promise<Result> {
  pass.metrics.tenantIs(pass.key, 'stalled')
  if (isDeleting(object)) return retire(pass, observed, object, null, null)
  await sayCannotBeRead(pass, pass.caches.organizations, { object, problem })
  return {}
}

async function paused(pass: Pass, seen: Seen<Organization>, { status }: Organization): Promise<Result> {
  await sayOfOrganization(pass, seen, pausedStatus(status, pass.now))
  return {}
}

/**
 * Takes an organization down. Its Databases and Tokens are not waited for: with the nodes gone, nothing serves them.
 * @param organization null when it cannot be read: its data is kept then
 * @param version of the storage node that served last, null where that is not known
 */
async function retire(
  pass: Pass,
  observed: Observed,
  object: KubeObject,
  organization: Organization | null,
  version: string | null,
): Promise<Result> {
  pass.metrics.tenantIs(pass.key, 'deleting')
  if (!hasFinalizer(object)) return {}
  const uid = object.metadata.uid ?? ''
  const organizationId = organizationIdOf(object)
  const namespace = runtimeNamespace(organizationId)
  const leaving = { organizationId, uid, namespace, version }
  const retired = await retireRuntime(pass, leaving, organization?.spec.deletionPolicy ?? 'Retain')
  if (!retired.done) {
    if (organization) await sayDeleting(pass, object, organization, organizationId, retired.message)
    return { requeueAfterMs: retireRetryMs }
  }
  await releaseMembers(pass, observed)
  await releaseTenantBinding(pass, observed.key.namespace, uid)
  await releaseFinalizer(pass, pass.caches.organizations, object)
  pass.memory.succeeded(pass.key)
  pass.log.info({ organizationId }, 'organization retired')
  return {}
}

async function sayDeleting(
  pass: Pass,
  object: KubeObject,
  organization: Organization,
  organizationId: string,
  message: string,
): Promise<void> {
  const facts = {
    organizationId,
    runtimeNamespace: runtimeNamespace(organizationId),
    version: organization.status?.version ?? null,
    upgrade: null,
    storage: null,
    stateDigest: null,
    integrity: null,
    isolation: null,
    isolationProof: null,
    encryption: null,
    hibernation: null,
    standing: progressing('Deleting', message),
  }
  await writeStatus(
    pass,
    pass.caches.organizations,
    object,
    organizationStatus(organization, facts, pass.now),
  )
}
