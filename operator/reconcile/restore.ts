import { AppError } from '../../common/errors.ts'
import { runtimeNamespace } from '../../common/ids.ts'
import type { Organization } from '../api/organization.ts'
import type { KubeObject } from '../kube/object.ts'
import { resources } from '../kube/resource.ts'
import { annotationKeys } from '../naming/labels.ts'
import { organizationIdOf } from '../naming/organization-id.ts'
import { ownerAnnotations, provenOwner, type Owner } from '../naming/owner.ts'
import { provenRetention, transferTarget, withoutRetention } from '../naming/retention.ts'
import { restoreRefused } from '../status/restore.ts'
import type { Standing } from '../status/standing.ts'
import { organizationProblem } from './make-runtime.ts'
import type { Pass } from './pass.ts'
import { eventTarget } from './write.ts'

/** Somebody else wrote between our look and our write: as often as this in one pass, then again in the next. */
const attemptsLimit = 2

/**
 * Takes over the data that `spec.restoreFrom` names: the owner record of its namespace, which is the one truth about
 * whose it is, is replaced in one write that fails if anything of the namespace has changed since it was read. So of
 * many that name one id one wins, and a process that ends before or after that write leaves nothing half done.
 *
 * Every attempt reads the same two namespaces, whether the first is there or not.
 * @param unread what of the Organization cannot be read, null where all can be
 * @returns why it has not been taken over, null if there is nothing to take over or it is this Organization's already
 */
export async function takeOver(
  pass: Pass,
  organization: Organization,
  unread: Standing | null,
): Promise<Standing | null> {
  if (organization.spec.restoreFrom === null) return null
  const organizationId = organizationIdOf(organization)
  const name = runtimeNamespace(organizationId)
  if (isOwn(pass, organization, pass.caches.namespaces.get(undefined, name))) return null
  for (let attempt = 1; ; attempt += 1) {
    const [retained, tenant] = await Promise.all([
      pass.client.get(resources.namespaces, { name }),
      pass.client.get(resources.namespaces, { name: organization.metadata.namespace }),
    ])
    if (retained && isOwn(pass, organization, retained)) return null
    const problem = unread ?? organizationProblem(pass, organization)
    if (problem) return problem
    const refusal = await refusalOf(pass, organizationId, retained, tenant)
    if (refusal !== null || !retained) {
      pass.log.warn({ organizationId, reason: refusal }, 'restore refused')
      return restoreRefused
    }
    if (await isTaken(pass, organization, organizationId, retained, attempt)) return null
  }
}

async function isTaken(
  pass: Pass,
  organization: Organization,
  organizationId: string,
  retained: KubeObject,
  attempt: number,
): Promise<boolean> {
  const { namespace, name, uid } = organization.metadata
  const owner = ownerAnnotations(pass.authority.operatorKey, organizationId, { namespace, name, uid })
  try {
    const taken = await pass.client.patchMetadata(retained, {
      annotations: { ...withoutRetention, ...owner },
    })
    pass.caches.namespaces.observe(taken)
  } catch (error) {
    const isOvertaken = error instanceof AppError && ['conflict', 'not-found'].includes(error.kind)
    if (!isOvertaken || attempt === attemptsLimit) throw error
    return false
  }
  // What this process remembers of it is what its owner before had.
  pass.memory.forgetGoodForms(organizationId)
  const message = `the retained data of organization ${organizationId} was taken over`
  pass.events.record(eventTarget(organization), 'Normal', 'Restored', message)
  pass.log.info({ organizationId, organization: `${namespace}/${name}` }, 'retained data taken over')
  return true
}

function isOwn(pass: Pass, organization: Organization, namespace: KubeObject | undefined): boolean {
  const organizationId = organizationIdOf(organization)
  const annotations = namespace?.metadata.annotations
  return (
    provenOwner(pass.authority.operatorKey, organizationId, annotations)?.uid === organization.metadata.uid
  )
}

/** @returns why the data is not to be had, for the platform; null if it is */
async function refusalOf(
  pass: Pass,
  organizationId: string,
  retained: KubeObject | null,
  tenant: KubeObject | null,
): Promise<string | null> {
  if (!retained) return 'there is no such namespace'
  if (tenant?.metadata.uid === undefined) return 'the namespace of the Organization is gone'
  const { annotations, deletionTimestamp } = retained.metadata
  if (deletionTimestamp !== undefined) return 'the namespace is being deleted'
  const { operatorKey } = pass.authority
  const owner = provenOwner(operatorKey, organizationId, annotations)
  if (!owner) return 'the namespace was not made by this operator for that id'
  const retention = provenRetention(operatorKey, organizationId, owner, annotations)
  const here = { name: tenant.metadata.name, uid: tenant.metadata.uid }
  if (retention && owner.namespace === here.name && retention.namespaceUid === here.uid) return null
  if (annotations?.[annotationKeys.transferTo] !== transferTarget(here)) {
    const of = `${owner.namespace}/${owner.name}`
    return retention
      ? `it is retained of ${of} and not marked ${annotationKeys.transferTo}: ${transferTarget(here)}`
      : `it is of Organization ${of} and not retained`
  }
  // Without a record of its end the word of the platform counts, unless that Organization is there.
  return retention || (await isGone(pass, owner)) ? null : 'the Organization that it is of is there'
}

/** Read live. What an operator that looks after some namespaces alone may not see counts as there. */
export async function isGone(pass: Pass, { namespace, name, uid }: Owner): Promise<boolean> {
  try {
    const found = await pass.client.get(resources.organizations, { namespace, name })
    return found?.metadata.uid !== uid
  } catch (error) {
    if (error instanceof AppError && error.kind === 'forbidden') return false
    throw error
  }
}
