import type { Violation } from './cel.ts'
import { group, version } from './fields.ts'
import { organizationSchema, type Organization } from './organization.ts'
import { tokenSchema, type TokenSpec } from './token.ts'

/**
 * Fields that are in the schema and that this release does not act on. An object that uses one is Stalled with reason
 * NotYetSupported: never is a wish passed over in silence.
 */
type Check = readonly [path: string, used: boolean, accepted: string]

/** What the checks of a kind accept of each field, whatever an object says: for the reference. */
export function notYet(kind: string): readonly Pick<Violation, 'path' | 'message'>[] {
  const checks = {
    Organization: () => organizationChecks(organizationSchema.parse(minimal('Organization', {}))),
    Token: () => {
      const permissions = [{ database: '*', access: ['read'] }]
      return tokenChecks(tokenSchema.parse(minimal('Token', { organization: 'a', permissions })).spec)
    },
  }[kind]
  return checks?.().map(([path, , message]) => ({ path, message })) ?? []
}

const minimal = (kind: string, spec: object): object => ({
  apiVersion: `${group}/${version}`,
  kind,
  metadata: { name: 'a', namespace: 'a', uid: 'a', creationTimestamp: '2026-01-01T00:00:00Z' },
  spec,
})

const listUnsupported = (checks: readonly Check[]): readonly Violation[] =>
  checks
    .filter(([, used]) => used)
    .map(([path, , accepted]) => ({ path, message: `${path} is not supported yet: ${accepted}` }))

const leaveOut = 'leave it out'

export const unsupportedInOrganization = (organization: Organization): readonly Violation[] =>
  listUnsupported(organizationChecks(organization))

export const unsupportedInToken = (spec: TokenSpec): readonly Violation[] =>
  listUnsupported(tokenChecks(spec))

export function organizationChecks({ spec }: Organization): readonly Check[] {
  const { storage, authentication, encryption } = spec
  return [
    ['spec.storage.replicas', storage.replicas !== 1, 'set it to 1'],
    ['spec.authentication.oidc', authentication.oidc !== null, leaveOut],
    ['spec.authentication.jwtSharedSecretRef', authentication.jwtSharedSecretRef !== null, leaveOut],
    ['spec.authentication.clientCertificates', authentication.clientCertificates !== null, leaveOut],
    ['spec.members', spec.members.length > 0, leaveOut],
    ['spec.encryption.keySecretRef', encryption.keySecretRef !== null, leaveOut],
    ['spec.backup', spec.backup !== null, leaveOut],
    ['spec.restoreFrom.pointInTime', (spec.restoreFrom?.pointInTime ?? null) !== null, leaveOut],
  ]
}

export function tokenChecks(spec: TokenSpec): readonly Check[] {
  return [
    [
      'spec.permissions',
      spec.permissions.some(({ manage }) => manage !== null),
      'leave out manage permissions',
    ],
  ]
}
