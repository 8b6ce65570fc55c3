import type { Organization } from '../api/organization.ts'
import { allowedVersions, classNamed, type Platform, type TenantClass } from '../api/platform.ts'
import { AppError } from '../../common/errors.ts'
import { runtimeNamespace } from '../../common/ids.ts'
import type { ObjectMeta } from '../kube/object.ts'
import { organizationLabels } from '../naming/labels.ts'

/** The storage nodes as they stand: what must not change although the platform or the operator did. */
export interface ExistingStorageNodes {
  /** Version of the storage node, by the label of the live StatefulSet; null if somebody took that away. */
  readonly version: string | null
  readonly image: string
  /** When somebody had the pods replaced by `kubectl rollout restart`, null for never. */
  readonly restartedAt: string | null
  /** The claim template of a StatefulSet can never be changed. */
  readonly claim: { readonly size: string; readonly storageClassName: string | null }
  /** The pod template as the operator recorded it, see template.ts; null if there is no record. */
  readonly template: { readonly text: string; readonly inputs: string | null; readonly mac: string } | null
  /** The rollout as the operator recorded it, see rollout.ts; null if there is none. */
  readonly rollout: { readonly text: string; readonly mac: string } | null
}

/** All that the objects of a tenant are made from. */
export interface DesiredInput {
  /** Parsed, free of violations and of unsupported fields, with a class that the platform has. */
  readonly organization: Organization
  readonly organizationId: string
  readonly platform: Platform
  /** The operator's key for owner records. */
  readonly ownerKey: Uint8Array
  readonly existing: ExistingStorageNodes | null
  /** The largest size that a claim asks for already, null for none: it is never taken back. */
  readonly claimed: string | null
  /** The version that served last before this Organization took the data over, null where that is not known. */
  readonly retainedVersion: string | null
  readonly now: Date
}

/** @throws AppError not-found, ERR_CLASS_UNKNOWN; `platformProblem` says it before */
export function classOf({ organization, platform }: DesiredInput): TenantClass {
  const tenantClass = classNamed(platform, organization.spec.class)
  if (tenantClass === null)
    throw new AppError('not-found', 'ERR_CLASS_UNKNOWN', `spec.class: no class "${organization.spec.class}"`)
  return tenantClass
}

/**
 * The version of a spec that names none: the one that runs, or else the one that served last, or else the platform's
 * default. So a new default, or an operator upgrade, rolls nobody's pods.
 */
export function newVersion(input: DesiredInput): string {
  if (input.existing) return runningVersion(input, input.existing)
  return servedVersion(input) ?? defaultVersionOf(input)
}

/**
 * What status says has served, where somebody took the StatefulSet away, or what wrote the data that was taken over: null
 * if it cannot be made any more.
 */
function servedVersion({ organization: { status }, platform, retainedVersion }: DesiredInput): string | null {
  const version = (status?.stateDigest === undefined ? null : status.version) ?? retainedVersion
  return version !== null && Object.hasOwn(platform.storageNode.images, version) ? version : null
}

/** The version that runs: by its label, or else as status says, or else the one with that image. */
function runningVersion(input: DesiredInput, existing: ExistingStorageNodes): string {
  const { organization, platform } = input
  const { images } = platform.storageNode
  const byImage = Object.keys(images).find((version) => images[version] === existing.image)
  return existing.version ?? organization.status?.version ?? byImage ?? defaultVersionOf(input)
}

function defaultVersionOf(input: DesiredInput): string {
  const allowed = allowedVersions(input.platform, classOf(input))
  const { defaultVersion } = input.platform.storageNode
  return allowed.includes(defaultVersion) ? defaultVersion : (allowed[0] ?? defaultVersion)
}

/** Metadata of an object in the runtime namespace. */
export function runtimeMetadata(
  { organizationId }: DesiredInput,
  name: string,
  labels: Readonly<Record<string, string>> = organizationLabels(organizationId),
): ObjectMeta {
  return { name, namespace: runtimeNamespace(organizationId), labels }
}
