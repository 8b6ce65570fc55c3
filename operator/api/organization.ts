import * as z from 'zod'
import { defaultRowsPerQuery } from '../../common/state-document.ts'
import { commonStatus } from './conditions.ts'
import {
  apiVersion,
  deletionPolicies,
  duration,
  id,
  moment,
  namespaceName,
  optional,
  quantity,
  secretKeyRef,
  text,
} from './fields.ts'
import { metadataSchema } from './metadata.ts'

const storage = z.object({
  size: quantity()
    .default('10Gi')
    .describe(
      'Size of the volume of each storage node. It can grow, and never falls below status.storage.size.',
    ),
  replicas: z.literal([1, 3]).default(1).describe('1, or 3 for replicated storage. 3 cannot become 1 again.'),
})

const labelValue = z
  .string()
  .max(63)
  .regex(/^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/)

const accessPeer = z
  .object({
    namespace: optional(namespaceName()).describe('Pods of this namespace. Excludes cidr.'),
    podLabels: z
      .record(z.string(), labelValue)
      .default({})
      .meta({ maxProperties: 16 })
      .describe('Only pods of that namespace that carry all these labels; empty for all of its pods.'),
    cidr: optional(text(43)).describe(
      'Addresses in this range, for example 10.1.0.0/16. Excludes namespace.',
    ),
    except: z.array(text(43)).max(16).default([]).describe('Ranges within cidr that stay closed.'),
  })
  .describe(
    'One place that may call the storage nodes directly: namespace and podLabels, or cidr and except.',
  )

const oidc = z.object({
  issuerURL: z
    .string()
    .max(512)
    .regex(/^https:\/\/[!-~]+$/)
    .describe('Address of the OpenID Connect issuer, https.'),
  audience: text(256).min(1).describe('What the aud claim must hold.'),
  usernameClaim: text(64).min(1).default('sub').describe('Claim that names the user.'),
  groupsClaim: optional(text(64).min(1)).describe('Claim that lists the groups.'),
  requireMFA: z
    .boolean()
    .default(true)
    .describe('Refuse tokens whose amr or acr says nothing of a second factor.'),
  emailDomains: z
    .array(text(253).min(1))
    .max(32)
    .default([])
    .describe('Accept only verified addresses of these domains; empty for any.'),
})

const authentication = z.object({
  oidc: optional(oidc).describe('Log in by tokens of an OpenID Connect issuer.'),
  jwtSharedSecretRef: optional(secretKeyRef('the shared secret, at least 32 bytes')).describe(
    'Accept JSON Web Tokens signed by HS256 with this secret, with the claims username and exp.',
  ),
  clientCertificates: optional(
    z.object({
      caSecretRef: secretKeyRef('the certificate authority, PEM').describe('The certificate authority, PEM.'),
    }),
  ).describe('Accept client certificates of this authority.'),
})

const member = z
  .object({
    user: optional(text(256).min(1)).describe('A user of the issuer. Excludes group.'),
    group: optional(text(256).min(1)).describe('A group of the issuer. Excludes user.'),
    role: z.enum(['Owner', 'Editor', 'Viewer']).describe('What they may do.'),
  })
  .describe('Who has a role in the organization: a user or a group.')

const limits = z.object({
  databases: z.int().min(1).max(10_000).default(100).describe('Most databases.'),
  series: z.int().min(1).max(1_000_000_000).default(1_000_000).describe('Most series over all databases.'),
  writeBytesPerSecond: optional(z.int().min(1).max(1_000_000_000_000)).describe(
    'Most bytes of line protocol written a second; none for no limit.',
  ),
  concurrentQueries: z.int().min(1).max(1000).default(10).describe('Most queries that run at one time.'),
  queryTimeout: duration().default('60s').describe('Longest time that a query may run.'),
  requestsPerSecond: optional(z.int().min(1).max(1_000_000)).describe(
    'Most requests a second of all clients that are let in; as many may come at one moment. Others are answered 429. None for no limit.',
  ),
  rowsPerQuery: z
    .int()
    .min(1)
    .max(1_000_000_000)
    .default(defaultRowsPerQuery)
    .describe('Most rows that a SELECT may answer with.'),
  queryMemory: optional(quantity()).describe(
    'Most memory that one query may hold for what it merges, 16Mi to 1Ti; none for what all queries share.',
  ),
})

const backup = z.object({
  schedule: text(128).min(9).describe('When: a cron expression of five fields, UTC.'),
  destination: namespaceName().describe('Name of a destination that the platform defines.'),
  keep: z.int().min(1).max(1000).default(14).describe('How many backups are kept.'),
  keySecretRef: optional(secretKeyRef('the recovery key')).describe(
    'Recovery key; none to have one generated.',
  ),
})

export const organizationSpecSchema = z.object({
  displayName: optional(text(128).min(1)).describe('Name for people; metadata.name if none.'),
  description: optional(text(1024)).describe('What the organization is for.'),
  class: namespaceName()
    .default('standard')
    .describe(
      'Resources, storage class, scheduling and allowed versions, by a name that the platform defines.',
    ),
  storage: storage.prefault({}).describe('Volumes of the storage nodes.'),
  version: optional(text(63).min(1)).describe(
    'Version of the storage node, out of the list of the class, older ones too; none keeps the one that served last. One that is not ready in time is taken back.',
  ),
  access: z
    .object({
      from: z
        .array(accessPeer)
        .max(32)
        .default([])
        .describe('Who may call the storage nodes directly, besides the gateway; empty for nobody.'),
    })
    .prefault({})
    .describe('Direct ways to the storage nodes.'),
  authentication: authentication.prefault({}).describe('Ways to log in besides tokens.'),
  members: z
    .array(member)
    .max(1000)
    .default([])
    .describe('People and groups with a role in the organization.'),
  encryption: z
    .object({
      keySecretRef: optional(secretKeyRef('a key of 32 bytes')).describe(
        'Your own data key; none to have one generated.',
      ),
      rotateEvery: duration()
        .default('2160h')
        .describe(
          'How often a new data key is taken into use: at least 1h. Organizations take turns within the last tenth of it.',
        ),
      rotateKeysMadeBefore: optional(moment()).describe(
        'A data key that was made before this moment is replaced, at once or, if it lies ahead, when it has come: the present time to change the key now. status.encryption.keySince says when the key was made.',
      ),
    })
    .prefault({})
    .describe('Encryption of the stored data.'),
  limits: limits.prefault({}).describe('Bounds that the storage nodes enforce.'),
  backup: optional(backup).describe('Scheduled backups.'),
  hibernation: z
    .enum(['Never', 'Now', 'WhenIdle'])
    .default('Never')
    .describe(
      'Now: no pods, data kept, requests answered 503. WhenIdle: the same after idleAfter, until a request to the gateway with a valid token, which waits until it is answered.',
    ),
  idleAfter: duration()
    .default('30m')
    .describe('With hibernation WhenIdle: how long nobody is served before it hibernates, at least 1m.'),
  restoreFrom: optional(
    z.object({
      organizationId: id().describe('Id of the organization whose retained data to take over.'),
      pointInTime: optional(moment()).describe('Restore to this moment; none for all there is.'),
    }),
  ).describe(
    'Start with the data of a deleted organization: its id, its volumes and its data key. From the namespace that it was in, or one that the platform allowed it to. Cannot be changed.',
  ),
  deletionPolicy: z
    .enum(deletionPolicies)
    .default('Retain')
    .describe('Retain keeps volumes and keys when the Organization is deleted; Delete leaves nothing.'),
})

const encryptionStatus = z.object({
  keyId: id().describe('Id of the data key in force; it says nothing about the key.'),
  keySince: z.iso.datetime().describe('When that key was made.'),
  rotation: z
    .object({
      step: z
        .enum(['Storing', 'Adopting', 'Dropping'])
        .describe(
          'Storing: a new key goes into the Secret before the old one. Adopting: the nodes take it into use. Dropping: the old one leaves the Secret.',
        ),
      keyId: id().optional().describe('Id of the new key, once it is stored.'),
      startedAt: z.iso.datetime().describe('When the change began.'),
      message: z.string().max(4096).optional().describe('What it waits for.'),
    })
    .optional()
    .describe('The change of the key that is under way.'),
})

const storageStatus = z.object({
  size: quantity().optional().describe('Size that every volume has at least.'),
  replicas: z.int().min(0).max(3).optional().describe('Storage nodes that have a volume.'),
  growth: z
    .object({
      size: quantity().describe('Size that the volumes are growing to.'),
      step: z
        .enum(['Claiming', 'Refused', 'Resizing', 'Recreating'])
        .describe(
          'Claiming: the claims are told the new size. Refused: the API server does not take it, and is asked again each minute. Resizing: the storage grows the volumes. Recreating: the StatefulSet is replaced by one whose claim template has the new size, under the pods that run.',
        ),
      startedAt: z.iso.datetime().describe('When the growth to this size began.'),
      message: z.string().max(4096).optional().describe('What it waits for.'),
    })
    .optional()
    .describe('The growth of the volumes that is under way.'),
})

const upgradeStatus = z.object({
  from: z.string().max(63).describe('Version of the storage node that served before.'),
  to: z
    .string()
    .max(63)
    .describe('Version that is taken into use; the same where only resources or scheduling are others.'),
  phase: z
    .enum(['Rolling', 'RollingBack', 'RolledBack'])
    .describe(
      'Rolling: the pods are replaced, one by one. RollingBack: it was not ready in time, and what served before comes back. RolledBack: that serves again, and what failed is not tried again as it is.',
    ),
  startedAt: z.iso.datetime().describe('When the phase began; of RolledBack, when the way back did.'),
  message: z.string().max(4096).optional().describe('Why it did not come up, as its pod said.'),
})

const hibernationStatus = z.object({
  step: z
    .enum(['Stopping', 'Hibernated', 'Waking'])
    .describe(
      'Stopping: the pods are going. Hibernated: none is left. Waking: pods run again, and clients reach them when every one has confirmed the state document.',
    ),
  since: z.iso.datetime().describe('When this step began.'),
})

const isolationProof = z.object({
  request: z.string().max(64).describe('The value of the annotation holdfast.dev/prove that it answers.'),
  at: z.iso.datetime().describe('When the paths had been tried.'),
  paths: z
    .array(
      z.object({
        from: z.string().max(128).describe('Who tried.'),
        to: z.string().max(128).describe('What must be out of reach.'),
        control: z
          .enum(['Reached', 'NotReached'])
          .describe('Whether what shows that packets could have passed was reached.'),
        result: z.enum(['Closed', 'Open', 'NotTried']).describe('Closed says nothing without its control.'),
      }),
    )
    .max(64)
    .default([])
    .describe('Every path that must be closed, as it was found.'),
})

export const organizationStatusSchema = z.object({
  ...commonStatus,
  organizationId: id()
    .optional()
    .describe('Id of the organization: in its tokens, its namespace and its address.'),
  runtimeNamespace: namespaceName().optional().describe('Namespace that holds the storage nodes.'),
  version: z
    .string()
    .max(63)
    .optional()
    .describe('Version of the storage node in force: the last one that was ready, while another is tried.'),
  storage: storageStatus.optional().describe('What the volumes are, and what they are becoming.'),
  stateDigest: z
    .string()
    .max(64)
    .optional()
    .describe('Digest of the state document that every storage node has confirmed.'),
  hibernation: hibernationStatus
    .optional()
    .describe('How far hibernation is; absent of an organization that is awake.'),
  encryption: encryptionStatus.optional().describe('The data key and its change.'),
  upgrade: upgradeStatus
    .optional()
    .describe('The change of version, resources or scheduling that is under way or has failed.'),
  isolationProof: isolationProof
    .optional()
    .describe('The answer to the annotation holdfast.dev/prove, for as long as that is there.'),
})

/** An Organization as the API server stores it, defaults filled in. */
export const organizationSchema = z.object({
  apiVersion: z.literal(apiVersion),
  kind: z.literal('Organization'),
  metadata: metadataSchema,
  spec: organizationSpecSchema,
  status: organizationStatusSchema.optional(),
})

export type Organization = z.infer<typeof organizationSchema>
export type OrganizationSpec = z.infer<typeof organizationSpecSchema>
export type OrganizationStatus = z.infer<typeof organizationStatusSchema>
export type HibernationStatus = z.infer<typeof hibernationStatus>
export type StorageStatus = z.infer<typeof storageStatus>
export type UpgradeStatus = z.infer<typeof upgradeStatus>
export type EncryptionStatus = z.infer<typeof encryptionStatus>
export type IsolationProof = z.infer<typeof isolationProof>
export type AccessPeer = z.infer<typeof accessPeer>

/** Its name for people. */
export function displayName(organization: Organization): string {
  return organization.spec.displayName ?? organization.metadata.name
}
