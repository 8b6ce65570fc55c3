import { canonicalQuantity, compareQuantities } from '../api/quantity.ts'
import type { DesiredInput } from './input.ts'

/** Size of each volume: what is asked for, and never less than what there is or what its claim asks for. */
export function volumeSize({ organization, existing, claimed }: DesiredInput): string {
  const sizes = [organization.spec.storage.size, existing?.claim.size ?? null, claimed]
  return canonicalQuantity(sizes.reduce<string>(larger, '0'))
}

/**
 * What the claim template of a StatefulSet that is made anew says: not more than claims that are there ask for, so that
 * they are seen to grow, and not as much either, since that may be more than anybody wants any more.
 */
export function firstTemplateSize({ organization, claimed }: DesiredInput): string {
  const { size } = organization.spec.storage
  return canonicalQuantity(claimed !== null && compareQuantities(claimed, size) < 0 ? claimed : size)
}

const larger = (a: string, b: string | null): string => (b !== null && compareQuantities(b, a) > 0 ? b : a)
