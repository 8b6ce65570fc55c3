import * as z from 'zod'
import { id, namespaceName, optional, quantity } from './fields.ts'
import type { OrganizationSpec } from './organization.ts'

/** YAML reads `cpu: 1` as a number; the Kubernetes API takes quantities as texts. */
const writtenQuantity = z.union([quantity(), z.number().min(0).max(1e15).multipleOf(0.001)]).transform(String)

export const resourceList = z.record(z.string().regex(/^[-a-z0-9./]+$/), writtenQuantity)

export const toleration = z.strictObject({
  key: z.string().optional().describe('Key of the taint; none for all of them.'),
  operator: z.enum(['Exists', 'Equal']).optional(),
  value: z.string().optional(),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
  tolerationSeconds: z.int().min(0).optional(),
})

const tenantClass = z.strictObject({
  resources: z
    .strictObject({
      requests: resourceList.prefault({ cpu: '50m', memory: '128Mi' }),
      limits: resourceList.prefault({ memory: '512Mi' }),
    })
    .prefault({})
    .describe('Resources of a storage node.'),
  storageClassName: optional(z.string().min(1)).describe(
    'Storage class of the volumes; none for the default one.',
  ),
  nodeSelector: z
    .record(z.string(), z.string())
    .default({})
    .describe('Nodes that may run the storage nodes.'),
  tolerations: z.array(toleration).default([]).describe('Taints that the storage nodes tolerate.'),
  priorityClassName: optional(z.string().min(1)).describe('Priority class of the storage nodes.'),
  versions: z
    .array(z.string().min(1))
    .default([])
    .describe('Versions of the storage node that tenants may name; empty for all that have an image.'),
})

const organizationsLimit = z
  .int()
  .min(0)
  .max(100_000)
  .describe(
    'Most Organizations of one namespace; the oldest have their places, and what was made once stays.',
  )
const storageSizeLimit = writtenQuantity.describe(
  'Most that spec.storage.size of an Organization may ask for; a volume that is larger stays.',
)

const tenantLimits = z
  .strictObject({
    organizations: optional(organizationsLimit),
    storageSize: optional(storageSizeLimit),
    namespaces: z
      .record(
        namespaceName(),
        z.strictObject({
          organizations: organizationsLimit.optional(),
          storageSize: storageSizeLimit.optional(),
        }),
      )
      .default({})
      .describe('Limits of single namespaces, in place of those of all.'),
  })
  .prefault({})
  .describe('What tenants may have at most; null for no limit.')

/** What the platform decides, out of the chart's values: the file that the operator reads at its start. */
export const platformSchema = z.strictObject({
  operatorNamespace: namespaceName().describe('Namespace of the operator and the gateway.'),
  installationId: id().describe('First 16 hex digits of SHA-256 of the uid of that namespace.'),
  clusterDomain: z.string().min(1).default('cluster.local').describe('DNS domain of the cluster.'),
  operatorServiceAccount: z
    .string()
    .min(1)
    .default('holdfast-operator')
    .describe('Service account of the operator.'),
  storageNode: z
    .strictObject({
      images: z
        .record(z.string().min(1), z.string().min(1))
        .refine(
          (images) => Object.keys(images).length > 0,
          'storageNode.images: at least one version expected',
        )
        .describe('Image of each version of the storage node.'),
      imagePullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).default('IfNotPresent'),
      defaultVersion: z.string().min(1).describe('Version that new organizations get.'),
      rolloutLimitMinutes: z
        .int()
        .min(1)
        .max(1_440)
        .default(10)
        .describe(
          'Another version, other resources or another place that are not ready after this time are taken back; a container on its first start has 15 minutes more.',
        ),
    })
    .refine(({ images, defaultVersion }) => Object.hasOwn(images, defaultVersion), {
      message: 'storageNode.defaultVersion: a key of storageNode.images expected',
    }),
  classes: z
    .record(namespaceName(), tenantClass)
    .prefault({ standard: {} })
    .describe('What tenants may name in spec.class.'),
  tenantLimits,
  isolation: z
    .strictObject({
      required: z
        .boolean()
        .default(true)
        .describe('An organization is Ready only once its closed paths are proved closed.'),
    })
    .prefault({}),
  gateway: z
    .strictObject({
      url: z
        .url({ protocol: /^https?$/ })
        .describe('Address that clients use, for example https://gateway.example.com:8086.'),
      host: z.string().min(1).describe('Host part of that address.'),
      port: z.int().min(1).max(65_535).describe('Port of that address.'),
      caCertificate: z
        .string()
        .optional()
        .describe('PEM of the authority that clients must trust, if it is not a public one.'),
    })
    .describe('The one public address.'),
})

export type Platform = z.infer<typeof platformSchema>
export type TenantClass = z.infer<typeof tenantClass>

/** What the tenants of one namespace may have at most; null for no limit. */
export interface TenantLimits {
  readonly organizations: number | null
  readonly storageSize: string | null
}

export function limitsOf(
  { tenantLimits: { namespaces, ...all } }: Platform,
  namespace: string,
): TenantLimits {
  const own = Object.hasOwn(namespaces, namespace) ? namespaces[namespace]! : {}
  return {
    organizations: own.organizations ?? all.organizations,
    storageSize: own.storageSize ?? all.storageSize,
  }
}

export interface PlatformProblem {
  readonly path: string
  readonly reason: 'ClassNotFound' | 'VersionNotAllowed'
  readonly message: string
}

/** A class by the name that a tenant gave, which may be that of a property that every object has. */
export function classNamed(platform: Platform, name: string): TenantClass | null {
  return Object.hasOwn(platform.classes, name) ? platform.classes[name]! : null
}

/** Versions of the storage node that a class allows and an image exists for, in the order of the list. */
export function allowedVersions(platform: Platform, tenantClass: TenantClass): readonly string[] {
  const withImage = Object.keys(platform.storageNode.images)
  return tenantClass.versions.length === 0
    ? withImage
    : tenantClass.versions.filter((version) => Object.hasOwn(platform.storageNode.images, version))
}

/** What a spec asks of the platform that the platform does not have. */
export function platformProblem(spec: OrganizationSpec, platform: Platform): PlatformProblem | null {
  const tenantClass = classNamed(platform, spec.class)
  if (tenantClass === null)
    return {
      path: 'spec.class',
      reason: 'ClassNotFound',
      message: `spec.class: "${spec.class}" is not a class of this platform; there are ${list(Object.keys(platform.classes))}`,
    }
  const versions = allowedVersions(platform, tenantClass)
  if (spec.version === null || versions.includes(spec.version)) return null
  return {
    path: 'spec.version',
    reason: 'VersionNotAllowed',
    message: `spec.version: "${spec.version}" is not a version of class ${spec.class}; there are ${list(versions)}`,
  }
}

const list = (names: readonly string[]): string => names.join(', ') || 'none'
