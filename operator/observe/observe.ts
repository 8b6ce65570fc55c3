import type * as z from 'zod'
import { databaseSchema } from '../api/database.ts'
import { organizationSchema, organizationSpecSchema, type Organization } from '../api/organization.ts'
import { tokenSchema } from '../api/token.ts'
import { compareText } from '../compare-text.ts'
import type { Store } from '../controller/store.ts'
import type { KubeObject } from '../kube/object.ts'
import { storageNode } from '../naming/names.ts'
import { storageNodeSelector } from '../naming/labels.ts'
import type { Observed, Seen, TenantKey } from './observed.ts'
import { claimView, podView, statefulSetView, type Runtime } from './runtime.ts'

/** The caches that a pass reads, by the names of `resources` in operator/kube. */
export interface Caches {
  readonly organizations: Store
  readonly databases: Store
  readonly tokens: Store
  readonly namespaces: Store
  readonly statefulSets: Store
  readonly pods: Store
  readonly persistentVolumeClaims: Store
}

/**
 * The tenant's own objects.
 * @param before what was observed a moment ago: an object that is still the same is not parsed again
 */
export function observeTenant(key: TenantKey, caches: Caches, before: Observed | null = null): Observed {
  const organization = caches.organizations.get(key.namespace, key.name)
  const seenBefore = before?.organization ? [before.organization] : []
  return {
    key,
    organization: organization ? readOrganization(organization, seenBefore) : null,
    databases: membersOf(caches.databases, key).map(reader(databaseSchema, before?.databases ?? [])),
    tokens: membersOf(caches.tokens, key).map(reader(tokenSchema, before?.tokens ?? [])),
  }
}

/** What runs for an organization. @param namespace its runtime namespace */
export function observeRuntime(namespace: string, caches: Caches): Runtime {
  const statefulSet = caches.statefulSets.get(namespace, storageNode)
  return {
    namespace: caches.namespaces.get(undefined, namespace),
    statefulSet: statefulSet ? statefulSetView(statefulSet) : null,
    pods: caches.pods.list(namespace).filter(isStorageNode).toSorted(byName).map(podView),
    claims: caches.persistentVolumeClaims.list(namespace).toSorted(byName).map(claimView),
  }
}

function isStorageNode({ metadata }: KubeObject): boolean {
  return Object.entries(storageNodeSelector).every(([key, value]) => metadata.labels?.[key] === value)
}

/** The organization that a Database or Token names. */
export function organizationNameOf(object: KubeObject): string | null {
  const spec = object['spec']
  if (typeof spec !== 'object' || spec === null || !('organization' in spec)) return null
  return typeof spec.organization === 'string' ? spec.organization : null
}

function membersOf(store: Store, key: TenantKey): readonly KubeObject[] {
  return store
    .list(key.namespace)
    .filter((object) => organizationNameOf(object) === key.name)
    .toSorted(byAge)
}

function reader<Parsed>(
  schema: z.ZodType<Parsed>,
  before: readonly Seen<Parsed>[],
): (object: KubeObject) => Seen<Parsed> {
  const known = new Map(before.map((seen) => [seen.object, seen]))
  return (object) => known.get(object) ?? seen(schema, object)
}

function seen<Parsed>(schema: z.ZodType<Parsed>, object: KubeObject): Seen<Parsed> {
  const result = schema.safeParse(object)
  if (result.success) return { object, parsed: result.data, problem: null }
  const [issue] = result.error.issues
  return { object, parsed: null, problem: `${issue?.path.join('.')}: ${issue?.message}` }
}

/**
 * An Organization as far as it can be read.
 * @param before as in `observeTenant`
 */
export function readOrganization(
  object: KubeObject,
  before: readonly Seen<Organization>[] = [],
): Seen<Organization> {
  return leniently(reader(organizationSchema, before)(object))
}

/** What cannot be read of an Organization's spec is as if it were not there, but for whose data it takes over. */
function leniently(found: Seen<Organization>): Seen<Organization> {
  const spec = found.object['spec']
  if (found.parsed || typeof spec !== 'object' || spec === null) return found
  const fields: Readonly<Record<string, z.ZodType>> = organizationSpecSchema.shape
  const understood = Object.entries(spec).filter(([name, value]) => fields[name]?.safeParse(value).success)
  const isKnown = !('restoreFrom' in spec) || understood.some(([name]) => name === 'restoreFrom')
  if (!isKnown) return found
  const parsed = organizationSchema.safeParse({ ...found.object, spec: Object.fromEntries(understood) }).data
  return { ...found, parsed: parsed ?? null }
}

interface Aged {
  readonly metadata: { readonly creationTimestamp?: string | undefined; readonly uid?: string | undefined }
}

/** By creation; those of one second by uid, so that every pass finds the same order. */
export function byAge(a: Aged, b: Aged): number {
  return compareText(ageKey(a), ageKey(b))
}

const ageKey = ({ metadata }: Aged): string => `${metadata.creationTimestamp ?? ''} ${metadata.uid ?? ''}`

function byName(a: KubeObject, b: KubeObject): number {
  return compareText(a.metadata.name, b.metadata.name)
}
