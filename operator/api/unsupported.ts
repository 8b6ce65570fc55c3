import type { Violation } from './cel.ts'
import type { DatabaseSpec } from './database.ts'
import type { Organization } from './organization.ts'
import { compareQuantities } from './quantity.ts'
import type { TokenSpec } from './token.ts'

/**
 * Fields that are in the schema and that this release does not act on. An object that uses one is Stalled with reason
 * NotYetSupported: never is a wish passed over in silence.
 */
type Check = readonly [path: string, used: boolean, accepted: string]

const listUnsupported = (checks: readonly Check[]): readonly Violation[] =>
  checks
    .filter(([, used]) => used)
    .map(([path, , accepted]) => ({ path, message: `${path} is not supported yet: ${accepted}` }))

const leaveOut = 'leave it out'

export function unsupportedInOrganization({ spec, status }: Organization): readonly Violation[] {
  const { storage, authentication, encryption, limits } = spec
  const grows =
    status?.storage?.size !== undefined && compareQuantities(storage.size, status.storage.size) > 0
  return listUnsupported([
    ['spec.storage.size', grows, `growing a volume; go back to ${status?.storage?.size}`],
    ['spec.storage.replicas', storage.replicas !== 1, 'set it to 1'],
    ['spec.authentication.oidc', authentication.oidc !== null, leaveOut],
    ['spec.authentication.jwtSharedSecretRef', authentication.jwtSharedSecretRef !== null, leaveOut],
    ['spec.authentication.clientCertificates', authentication.clientCertificates !== null, leaveOut],
    ['spec.members', spec.members.length > 0, leaveOut],
    ['spec.encryption.keySecretRef', encryption.keySecretRef !== null, leaveOut],
    ['spec.encryption.rotateEvery', encryption.rotateEvery !== '2160h', 'leave it at 2160h'],
    ['spec.limits.writeBytesPerSecond', limits.writeBytesPerSecond !== null, leaveOut],
    ['spec.backup', spec.backup !== null, leaveOut],
    ['spec.hibernation', spec.hibernation !== 'Never', 'set it to Never'],
    ['spec.idleAfter', spec.idleAfter !== null, leaveOut],
    ['spec.restoreFrom', spec.restoreFrom !== null, leaveOut],
  ])
}

export function unsupportedInDatabase(spec: DatabaseSpec): readonly Violation[] {
  return listUnsupported([['spec.limits.series', spec.limits.series !== null, leaveOut]])
}

export function unsupportedInToken(spec: TokenSpec): readonly Violation[] {
  return listUnsupported([
    [
      'spec.permissions',
      spec.permissions.some(({ manage }) => manage !== null),
      'leave out manage permissions',
    ],
    ['spec.rotation', spec.rotation !== null, leaveOut],
  ])
}
