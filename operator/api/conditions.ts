import * as z from 'zod'

/**
 * Conditions of the three kinds. Ready, Reconciling and Stalled are kept to the letter of kstatus, so that
 * `kubectl wait`, Flux, Argo CD and `helm --wait` need no custom health check.
 */
export const conditionTypes = {
  Ready: 'True when the object does what its spec says.',
  Reconciling: 'True while the operator is on its way to what the spec says.',
  Stalled: 'True when only a change from outside can help; the message says which.',
  NetworkIsolated:
    'Organizations: True when closed paths were tried with packets and nothing got through, False when something did (the message names it), Unknown when it could not be tried.',
  IntegrityVerified:
    'Organizations: True when the files on disk were read back and matched, False when damage was found (the message names it), Unknown while nothing has checked.',
  BackedUp:
    'Organizations: True when the last scheduled backup succeeded, False when it failed, Unknown while there is none.',
} as const
export type ConditionType = keyof typeof conditionTypes

interface ReasonEntry {
  /** Condition types that carry it. */
  readonly of: readonly ConditionType[]
  readonly meaning: string
}

/** Every reason that the operator ever writes. They are API: they do not change their meaning. */
export const reasons = {
  Ready: { of: ['Ready'], meaning: 'All that the spec asks for is in force on every node.' },
  Settled: { of: ['Reconciling', 'Stalled'], meaning: 'Nothing to report: the condition is False.' },
  Progressing: {
    of: ['Ready', 'Reconciling'],
    meaning: 'The operator is making what the spec asks for; the message names the step.',
  },
  StorageNodeStarting: {
    of: ['Ready', 'Reconciling'],
    meaning: 'The storage node has been asked for and is not ready yet.',
  },
  StorageNodeNotReady: {
    of: ['Ready', 'Reconciling'],
    meaning: 'A storage node that was ready is not; the message says what its pod reports.',
  },
  Upgrading: {
    of: ['Ready', 'Reconciling'],
    meaning:
      'The storage nodes are replaced, one by one, by another version or with other resources or scheduling. What is not ready within the time that the platform sets, 10 minutes (25 while its container is on its first start) unless it says otherwise, is taken back.',
  },
  RollingBack: {
    of: ['Ready', 'Reconciling'],
    meaning: 'A version, or resources or scheduling, did not come up, and what served before comes back.',
  },
  UpgradeRolledBack: {
    of: ['Ready', 'Stalled'],
    meaning:
      'What served before is back, since what the spec asks for did not come up; the message says why and what to do. It is not tried again until the spec or the class asks for something else, the platform names another image for the version, or the annotation holdfast.dev/retry gets another value.',
  },
  VolumePending: {
    of: ['Ready', 'Reconciling'],
    meaning: 'The volume of a storage node is not bound; the message names the claim and its storage class.',
  },
  VolumeGrowing: {
    of: ['Reconciling'],
    meaning:
      'The volumes are growing to spec.storage.size while the organization is served; status.storage.growth says how far it is.',
  },
  VolumeGrowthRefused: {
    of: ['Stalled'],
    meaning:
      'The volumes cannot grow to spec.storage.size: the message has the words of the API server or of the storage. The organization is served with the size that it had; the old size in spec.storage.size ends this.',
  },
  Hibernating: {
    of: ['Ready', 'Reconciling'],
    meaning:
      'The storage nodes are stopping: spec.hibernation is Now, or it is WhenIdle and nobody was served for spec.idleAfter.',
  },
  Hibernated: {
    of: ['Ready'],
    meaning:
      'Ready is True since that is what spec.hibernation asks for: no pod runs, data and keys are kept. Requests are answered 503; with WhenIdle one to the gateway with a valid token wakes the organization and waits. Of a Database or Token: it is in force when the organization wakes, before any client is served.',
  },
  Waking: {
    of: ['Ready', 'Reconciling'],
    meaning: 'The storage nodes run again, and clients’ paths to them are not open yet.',
  },
  AwaitingConfirmation: {
    of: ['Ready', 'Reconciling'],
    meaning: 'The nodes have not all confirmed the state document that holds this object.',
  },
  OrganizationNotFound: {
    of: ['Ready', 'Reconciling'],
    meaning: 'spec.organization names no Organization of this namespace yet. It may come later.',
  },
  OrganizationNotReady: {
    of: ['Ready', 'Reconciling'],
    meaning: 'The Organization is there and not ready; its own conditions say why.',
  },
  DatabaseNotFound: {
    of: ['Ready', 'Reconciling'],
    meaning: 'A permission names a database that the organization does not have yet. It may come later.',
  },
  Paused: {
    of: ['Ready', 'Reconciling', 'Stalled'],
    meaning: 'The annotation holdfast.dev/paused is "true": the operator looks and changes nothing.',
  },
  Deleting: {
    of: ['Ready', 'Reconciling'],
    meaning: 'The object is being deleted; the message names the step.',
  },
  NotYetSupported: {
    of: ['Ready', 'Stalled'],
    meaning: 'The spec uses a field that this release does not act on yet; the message names it.',
  },
  InvalidSpec: {
    of: ['Ready', 'Stalled'],
    meaning:
      'The spec breaks a rule; the message names the field and what is accepted. What runs is left running.',
  },
  MemberUnreadable: {
    of: ['Ready', 'Stalled'],
    meaning:
      'A Database or Token of the organization is not what the schema says; the message names it and the field. It keeps what it had, and the others are served.',
  },
  FormUnknown: {
    of: ['Ready', 'Stalled'],
    meaning:
      'A spec cannot be acted on, and the one that was in force before is not known any more: nothing is changed on the nodes until the spec that the message names is mended. Or the Secret last-good cannot be read: what is served goes on, Tokens are revoked, and nothing new is served until what it held is restored.',
  },
  ClassNotFound: {
    of: ['Ready', 'Stalled'],
    meaning: 'spec.class names no class of this platform; the message lists those there are.',
  },
  VersionNotAllowed: {
    of: ['Ready', 'Stalled'],
    meaning: 'spec.version is not among the versions of the class; the message lists them.',
  },
  LimitReached: {
    of: ['Ready', 'Stalled'],
    meaning:
      'A limit of the organization or the platform is used up; the message names it. What is served goes on.',
  },
  NamespaceTerminating: {
    of: ['Ready', 'Reconciling'],
    meaning:
      'The runtime namespace is being deleted by somebody else; it is made anew when it is gone. The message says what holds it, in its own words.',
  },
  DataKeyMissing: {
    of: ['Ready', 'Stalled'],
    meaning:
      'The Secret with the data key is gone, or does not hold the key that the message names, and there is data that cannot be read without it. It is never made anew: restore it. Storage nodes that run go on serving until they are started again.',
  },
  NamespaceNotOurs: {
    of: ['Ready', 'Stalled'],
    meaning: 'The runtime namespace exists and was not made for this organization. It is never adopted.',
  },
  RestoreRefused: {
    of: ['Ready', 'Stalled'],
    meaning:
      'spec.restoreFrom names no retained data that the namespace of this Organization may take over. The text is the same whatever the reason, also for an id that never was one; the platform finds it in the log of the operator.',
  },
  SecretNotOurs: {
    of: ['Ready', 'Stalled'],
    meaning: 'A Secret of the wanted name exists and does not belong to this Token. It is left alone.',
  },
  DatabaseNameTaken: {
    of: ['Ready', 'Stalled'],
    meaning: 'An older Database of the organization has this databaseName.',
  },
  RotationWaits: {
    of: ['Reconciling'],
    meaning: 'A new token string is due, and as many as there may be at a time are accepted.',
  },
  TokenHashTaken: { of: ['Ready', 'Stalled'], meaning: 'An older Token of the organization has this hash.' },
  Expired: { of: ['Ready', 'Stalled'], meaning: 'The Token has reached the end of spec.expiresAfter.' },
  Revoked: { of: ['Ready', 'Stalled'], meaning: 'A node refuses this token for ever. Make another one.' },
  NodeUnreachable: {
    of: ['Ready', 'Reconciling'],
    meaning: 'A storage node does not answer on its admin port; the operator goes on trying.',
  },
  NodeRefused: {
    of: ['Ready', 'Stalled'],
    meaning: 'A storage node refused the state document; the message says why.',
  },
  ApiRefused: {
    of: ['Ready', 'Reconciling', 'Stalled'],
    meaning: 'The API server refused an object that the operator asked for; the message names it.',
  },
  IsolationProved: {
    of: ['NetworkIsolated'],
    meaning: 'Every closed path was tried with packets and none got through, while all controls did.',
  },
  NetworkNotIsolated: {
    of: ['NetworkIsolated', 'Ready', 'Stalled'],
    meaning:
      'Packets got through where they must not, twice in a row; the message names the paths. It is tried again every half minute.',
  },
  IsolationNotChecked: {
    of: ['NetworkIsolated', 'Ready', 'Reconciling'],
    meaning:
      'The paths have not been tried, or a control path did not answer, so the result says nothing; the message says why. An organization that was ready stays so.',
  },
  IntegrityNotChecked: { of: ['IntegrityVerified'], meaning: 'Nothing has checked the stored data yet.' },
  DataDamaged: {
    of: ['IntegrityVerified', 'Ready', 'Stalled'],
    meaning:
      'Files on a volume are not what was written, and its storage node is read-only; the message names them and says what to do. It takes writes again when they are repaired and the node has been started anew.',
  },
  WritesRefused: {
    of: ['Ready', 'Stalled'],
    meaning:
      'A storage node fails again and again to put points into files and has no room for more: writes are answered 503, queries work. The message says why. The node tries on, and this goes when an attempt succeeds.',
  },
  BackupNotConfigured: { of: ['BackedUp'], meaning: 'spec.backup is not set.' },
} as const satisfies Record<string, ReasonEntry>
export type Reason = keyof typeof reasons

export const conditionSchema = z
  .object({
    type: z
      .string()
      .max(64)
      .regex(/^[A-Za-z]+$/)
      .describe('Which condition.'),
    status: z.enum(['True', 'False', 'Unknown']).describe('Whether it holds.'),
    observedGeneration: z
      .int()
      .min(0)
      .max(Number.MAX_SAFE_INTEGER)
      .optional()
      .describe('metadata.generation of the spec that this condition speaks of.'),
    lastTransitionTime: z.iso.datetime().describe('When status last changed.'),
    reason: z
      .string()
      .max(64)
      .regex(/^[A-Za-z]+$/)
      .describe('One word, from the catalogue of reasons.'),
    message: z.string().max(4096).describe('For people: the field or object, and what would help.'),
  })
  .describe('One condition.')

export type Condition = z.infer<typeof conditionSchema>

/** What the API server says for a status that nobody has written: no generation is less than 1. */
export const unseenGeneration = -1

/** The part of status that all kinds share. */
export const commonStatus = {
  observedGeneration: z
    .int()
    .min(unseenGeneration)
    .max(Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('metadata.generation that the operator has last acted on; -1 until it has seen the object.'),
  conditions: z
    .array(conditionSchema)
    .max(16)
    .default([])
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
    .describe('Ready, Reconciling and Stalled as kstatus defines them, and those of the kind itself.'),
}
