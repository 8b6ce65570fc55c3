import { canonicalQuantity, compareQuantities } from '../api/quantity.ts'
import type { DesiredInput } from './input.ts'

/** Size of each volume: what is asked for, and never less than what there is or what its claim asks for. */
export function volumeSize({ organization, existing, claimed }: DesiredInput): string {
  const sizes = [organization.spec.storage.size, existing?.claim.size ?? null, claimed]
  return canonicalQuantity(sizes.reduce<string>(larger, '0'))
}

const larger = (a: string, b: string | null): string => (b !== null && compareQuantities(b, a) > 0 ? b : a)
