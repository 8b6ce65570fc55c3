import { durationMs, durationPattern } from '../../common/duration.ts'
import { canonicalJson } from '../../common/state-document.ts'
import { containsRange, parseRange } from './cidr.ts'
import { databaseName, type Database } from './database.ts'
import type { AccessPeer, Organization } from './organization.ts'
import { compareQuantities } from './quantity.ts'
import type { Token } from './token.ts'

/**
 * A rule that a field's own type cannot say. The API server checks `cel`, reconcile checks `holds`: one row, so that
 * neither can forget the other. A rule that speaks of `oldSelf` is checked on updates only.
 */
export interface Rule<Resource> {
  /** What `self` is: the spec, or the whole object for rules that look at metadata or status. */
  readonly at: 'spec' | 'object'
  /** The field that is to blame, below `at`; "" for none that the schema declares. */
  readonly field: string
  readonly cel: string
  /** What is accepted. */
  readonly message: string
  /** @param before the object as it was, or null at its creation or where that is not known */
  readonly holds: (now: Resource, before: Resource | null) => boolean
}

export interface Violation {
  /** For example `spec.storage.size`. */
  readonly path: string
  /** Names the field and what is accepted. */
  readonly message: string
}

/** What of an object breaks its kind's rules. Works on parsed objects: types, patterns and limits hold already. */
export function violations<Resource>(
  rules: readonly Rule<Resource>[],
  now: Resource,
  before: Resource | null = null,
): readonly Violation[] {
  return rules
    .filter((rule) => !rule.holds(now, before))
    .map((rule) => {
      const path = rule.at === 'spec' ? `spec${rule.field}` : rule.field.replace(/^\./, '')
      return { path, message: `${path}: ${rule.message}` }
    })
}

interface WithSpec<Spec> {
  readonly spec: Spec
}

const same = (a: unknown, b: unknown): boolean => canonicalJson(a) === canonicalJson(b)

/** The field keeps its first value; where it is optional, it cannot be added or taken away either. */
function immutable<Spec, Resource extends WithSpec<Spec>>(
  name: keyof Spec & string,
  presence: 'required' | 'optional',
): Rule<Resource> {
  const equal = `self.${name} == oldSelf.${name}`
  return {
    at: 'spec',
    field: `.${name}`,
    cel:
      presence === 'required'
        ? equal
        : `has(self.${name}) == has(oldSelf.${name}) && (!has(self.${name}) || ${equal})`,
    message: 'cannot be changed after creation; make another object instead',
    holds: (now, before) => before === null || same(now.spec[name], before.spec[name]),
  }
}

/** In CEL: whether a field and all above it are there. */
function presence(field: string): string {
  const steps = field.slice(1).split('.')
  return steps.map((_, index) => `has(self.${steps.slice(0, index + 1).join('.')})`).join(' && ')
}

/** An optional or defaulted duration that must be above 0. @param field below spec, for example `.limits.queryTimeout` */
function positive<Resource>(
  field: string,
  of: (resource: Resource) => string | null,
  example: string,
): Rule<Resource> {
  return {
    at: 'spec',
    field,
    cel: `!(${presence(field)}) || self${field}.matches('[1-9]')`,
    message: `a duration above 0 expected, for example ${example}`,
    holds: (now) => /[1-9]/.test(of(now) ?? '1'),
  }
}

/**
 * So long or more, in CEL, whose durations know no days and weeks and end after 292 years. So a number of hours, days
 * or weeks will do, or so many digits of a smaller unit that it must be over it; what is left is small enough to
 * reckon with. A text that is no duration passes: its pattern refuses it.
 */
const plainlyOver = {
  '1h': '[1-9][0-9]*[hdw]|[1-9][0-9]{2,}m($|[0-9])|[1-9][0-9]{4,}s|[1-9][0-9]{7,}ms|[1-9][0-9]{10,}us|[1-9][0-9]{13,}ns',
  '1m': '[1-9][0-9]*[hdw]|[1-9][0-9]*m($|[0-9])|[1-9][0-9]{2,}s|[1-9][0-9]{5,}ms|[1-9][0-9]{8,}us|[1-9][0-9]{11,}ns',
} as const

const atLeast = (text: string, least: keyof typeof plainlyOver): string =>
  `(!${text}.matches('${durationPattern}') || ${text}.matches('${plainlyOver[least]}') || ` +
  `(!${text}.matches('[dw]') && duration(${text}) >= duration('${least}')))`
const isAtLeast = (text: string, least: keyof typeof plainlyOver): boolean =>
  durationMs(text) >= durationMs(least)

/** A defaulted duration of at least so long. @param field below spec, for example `.limits.queryTimeout` */
function lasting<Resource>(
  field: string,
  least: keyof typeof plainlyOver,
  of: (resource: Resource) => string,
  example: string,
): Rule<Resource> {
  return {
    at: 'spec',
    field,
    cel: `!(${presence(field)}) || ${atLeast(`self${field}`, least)}`,
    message: `at least ${least} expected, for example ${example}`,
    holds: (now) => isAtLeast(of(now), least),
  }
}

/**
 * An optional or defaulted quantity within bounds. A text that is no quantity passes: its pattern refuses it.
 * @param field below spec, for example `.storage.size`
 */
function between<Resource>(
  field: string,
  [least, most]: readonly [string, string],
  of: (resource: Resource) => string | null,
  example: string,
): Rule<Resource> {
  const value = `quantity(self${field})`
  return {
    at: 'spec',
    field,
    cel:
      `!(${presence(field)}) || !isQuantity(self${field}) || ` +
      `(${value}.compareTo(quantity('${least}')) >= 0 && ${value}.compareTo(quantity('${most}')) <= 0)`,
    message: `from ${least} to ${most} expected, for example ${example}`,
    holds: (now) => {
      const amount = of(now)
      return (
        amount === null || (compareQuantities(amount, least) >= 0 && compareQuantities(amount, most) <= 0)
      )
    },
  }
}

/** What Kubernetes takes for a key of a label. */
const labelKey =
  '^(([a-z0-9]([-a-z0-9]*[a-z0-9])?)([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'

/** A prefix of 253 characters, a slash and a name of 63. */
const labelKeyLimit = 317

const smallestVolume = '100Mi'
const largestVolume = '1Pi'
const leastQueryMemory = '16Mi'
const mostQueryMemory = '1Ti'

export const organizationRules: readonly Rule<Organization>[] = [
  {
    at: 'object',
    field: '.spec.storage.size',
    cel:
      'self.spec.storage.size == oldSelf.spec.storage.size || !has(self.status) || !has(self.status.storage) || ' +
      '!has(self.status.storage.size) || !isQuantity(self.spec.storage.size) || ' +
      'quantity(self.spec.storage.size).compareTo(quantity(self.status.storage.size)) >= 0',
    message: 'cannot fall below status.storage.size: volumes only grow',
    holds: ({ spec, status }) =>
      status?.storage?.size === undefined || compareQuantities(spec.storage.size, status.storage.size) >= 0,
  },
  between('.storage.size', [smallestVolume, largestVolume], ({ spec }) => spec.storage.size, '10Gi'),
  {
    at: 'object',
    field: '.spec.storage.replicas',
    cel:
      'self.spec.storage.replicas >= oldSelf.spec.storage.replicas || (has(self.status) && ' +
      'has(self.status.storage) && has(self.status.storage.replicas) && self.status.storage.replicas == 1)',
    message: '3 cannot become 1: replicated storage stays replicated',
    holds: ({ spec, status }, before) =>
      spec.storage.replicas >= (status?.storage?.replicas ?? before?.spec.storage.replicas ?? 1),
  },
  immutable('restoreFrom', 'optional'),
  {
    at: 'spec',
    field: '.access.from',
    cel:
      'self.access.from.all(p, has(p.namespace) != has(p.cidr) && ' +
      '(has(p.namespace) || p.podLabels.size() == 0) && (has(p.cidr) || p.except.size() == 0))',
    message: 'each entry is either namespace with podLabels, or cidr with except',
    holds: ({ spec }) => spec.access.from.every(isOneKindOfPeer),
  },
  {
    at: 'spec',
    field: '.access.from',
    cel:
      'self.access.from.all(p, !has(p.cidr) || (isCIDR(p.cidr) && p.except.all(e, ' +
      'isCIDR(e) && cidr(e).prefixLength() > cidr(p.cidr).prefixLength() && cidr(p.cidr).containsCIDR(e))))',
    message: 'cidr is a range such as 10.1.0.0/16, and except lists smaller ranges within it',
    holds: ({ spec }) => spec.access.from.every(hasRanges),
  },
  {
    at: 'spec',
    field: '.access.from',
    cel: `self.access.from.all(p, p.podLabels.all(k, k.size() <= ${labelKeyLimit} && k.matches('${labelKey}')))`,
    message: 'each key of podLabels is that of a label, for example app.kubernetes.io/name',
    holds: ({ spec }) => spec.access.from.every(hasLabelKeys),
  },
  {
    at: 'spec',
    field: '.members',
    cel: 'self.members.all(m, has(m.user) != has(m.group))',
    message: 'each entry has either user or group',
    holds: ({ spec }) => spec.members.every(({ user, group }) => (user === null) !== (group === null)),
  },
  lasting('.encryption.rotateEvery', '1h', ({ spec }) => spec.encryption.rotateEvery, '2160h'),
  positive('.limits.queryTimeout', ({ spec }) => spec.limits.queryTimeout, '60s'),
  between(
    '.limits.queryMemory',
    [leastQueryMemory, mostQueryMemory],
    ({ spec }) => spec.limits.queryMemory,
    '64Mi',
  ),
  lasting('.idleAfter', '1m', ({ spec }) => spec.idleAfter, '30m'),
]

function isOneKindOfPeer(peer: AccessPeer): boolean {
  if ((peer.namespace === null) === (peer.cidr === null)) return false
  return peer.namespace === null ? Object.keys(peer.podLabels).length === 0 : peer.except.length === 0
}

const labelKeyPattern = new RegExp(labelKey)

function hasLabelKeys({ podLabels }: AccessPeer): boolean {
  return Object.keys(podLabels).every((key) => key.length <= labelKeyLimit && labelKeyPattern.test(key))
}

function hasRanges({ cidr, except }: AccessPeer): boolean {
  if (cidr === null) return true
  const outer = parseRange(cidr)
  if (outer === null) return false
  return except.every((text) => {
    const inner = parseRange(text)
    return inner !== null && inner.bits > outer.bits && containsRange(outer, inner)
  })
}

const reservedNames = ['.', '..', '*']
const reservedCel = `['.', '..', '*']`
const isForever = (text: string): boolean => !/[1-9]/.test(text)

export const databaseRules: readonly Rule<Database>[] = [
  immutable('organization', 'required'),
  immutable('databaseName', 'optional'),
  {
    at: 'spec',
    field: '.databaseName',
    cel: `!has(self.databaseName) || !(self.databaseName in ${reservedCel})`,
    message: 'a name other than ".", ".." and "*" expected',
    holds: ({ spec }) => spec.databaseName === null || !reservedNames.includes(spec.databaseName),
  },
  {
    at: 'object',
    field: '.spec.databaseName',
    cel: 'has(self.spec.databaseName) || self.metadata.name.size() <= 64',
    message: 'expected, since metadata.name is longer than the 64 characters that a database name may have',
    holds: (database) => databaseName(database).length <= 64,
  },
  {
    at: 'spec',
    field: '.retention',
    cel: `!self.retention.matches('[1-9]') || ${atLeast('self.retention', '1h')}`,
    message: 'at least 1h expected, for example 720h, or 0 for ever',
    holds: ({ spec }) => isForever(spec.retention) || isAtLeast(spec.retention, '1h'),
  },
  {
    at: 'spec',
    field: '.retentionPolicies',
    cel: `self.retentionPolicies.all(p, !p.duration.matches('[1-9]') || ${atLeast('p.duration', '1h')})`,
    message: 'each duration is at least 1h, for example 720h, or 0 for ever',
    holds: ({ spec }) =>
      spec.retentionPolicies.every(({ duration }) => isForever(duration) || isAtLeast(duration, '1h')),
  },
  {
    at: 'spec',
    field: '.retentionPolicies',
    cel: `self.retentionPolicies.all(p, !has(p.shardDuration) || ${atLeast('p.shardDuration', '1h')})`,
    message: 'each shardDuration is at least 1h, for example 24h',
    holds: ({ spec }) =>
      spec.retentionPolicies.every(
        ({ shardDuration }) => shardDuration === null || isAtLeast(shardDuration, '1h'),
      ),
  },
  {
    at: 'spec',
    field: '.retentionPolicies',
    cel: `self.retentionPolicies.all(p, p.name != 'autogen' && !(p.name in ${reservedCel}))`,
    message: 'names other than "autogen" (its duration is spec.retention), ".", ".." and "*" expected',
    holds: ({ spec }) =>
      spec.retentionPolicies.every(({ name }) => name !== 'autogen' && !reservedNames.includes(name)),
  },
  {
    at: 'spec',
    field: '.defaultRetentionPolicy',
    cel:
      "self.defaultRetentionPolicy == 'autogen' || " +
      'self.retentionPolicies.exists(p, p.name == self.defaultRetentionPolicy)',
    message: 'autogen or the name of one of spec.retentionPolicies expected',
    holds: ({ spec }) =>
      ['autogen', ...spec.retentionPolicies.map(({ name }) => name)].includes(spec.defaultRetentionPolicy),
  },
]

export const tokenRules: readonly Rule<Token>[] = [
  immutable('organization', 'required'),
  immutable('permissions', 'required'),
  immutable('secretName', 'optional'),
  immutable('hash', 'optional'),
  {
    at: 'spec',
    field: '.permissions',
    cel: 'self.permissions.all(p, has(p.manage) ? !has(p.database) && !has(p.access) : has(p.database) && has(p.access))',
    message: 'each entry is either database with access, or manage',
    holds: ({ spec }) =>
      spec.permissions.every(({ database, access, manage }) =>
        manage === null ? database !== null && access !== null : database === null && access === null,
      ),
  },
  {
    at: 'spec',
    field: '.hash',
    cel: '!has(self.hash) || (!has(self.secretName) && !has(self.rotation))',
    message: 'excludes secretName and rotation: the token string is minted elsewhere',
    holds: ({ spec }) => spec.hash === null || (spec.secretName === null && spec.rotation === null),
  },
  positive('.expiresAfter', ({ spec }) => spec.expiresAfter, '8760h'),
  lasting('.rotation.every', '1m', ({ spec }) => spec.rotation?.every ?? '1m', '720h'),
]
