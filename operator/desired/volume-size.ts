import { canonicalQuantity, compareQuantities } from '../api/quantity.ts'
import type { DesiredInput } from './input.ts'

/** Size of each volume: what is asked for, and never less than what there is. */
export function volumeSize({ organization, existing }: DesiredInput): string {
  const asked = canonicalQuantity(organization.spec.storage.size)
  if (existing === null) return asked
  return compareQuantities(asked, existing.claim.size) >= 0 ? asked : canonicalQuantity(existing.claim.size)
}
