import { Counter, Gauge, type Registry } from 'prom-client'
import type { Clock } from '../../common/clock.ts'
import { withRoom } from '../../common/bounded-map.ts'
import type { AuthorityParts } from './authority.ts'

const rememberedLimit = 100_000
/** Every organization that is looked after is looked at more often than this. */
const forgottenMs = 3_600_000

export type AuthorityMetrics = AuthorityParts['metrics'] & {
  /** A look at what this namespace holds failed. */
  failed(): void
}

/** When what the operator issues ends, and how often it issued something. No tenant's name is a label. */
export function createAuthorityMetrics(registry: Registry, clock: Clock): AuthorityMetrics {
  const registers = [registry]
  const nodes = new Map<string, { readonly endMs: number; readonly atMs: number }>()
  const ends = new Gauge({
    name: 'holdfast_certificate_expiry_timestamp_seconds',
    help: 'When a certificate ends, Unix time; of the storage nodes’ the one that ends first',
    labelNames: ['certificate'],
    registers,
    collect: () => {
      const nowMs = clock.monotonicMs()
      for (const [id, { atMs }] of nodes) if (nowMs - atMs > forgottenMs) nodes.delete(id)
      const firstMs = [...nodes.values()].reduce((least, { endMs }) => Math.min(least, endMs), Infinity)
      if (Number.isFinite(firstMs)) ends.set({ certificate: 'storage-node' }, firstMs / 1_000)
      else ends.remove({ certificate: 'storage-node' })
    },
  })
  const issued = new Counter({
    name: 'holdfast_certificates_issued_total',
    help: 'Certificates issued, by why; "trust": only who is trusted beside it changed',
    labelNames: ['certificate', 'reason'],
    registers,
  })
  const failures = new Counter({
    name: 'holdfast_certificate_renewal_failures_total',
    help: 'Looks at the installation’s own certificates that failed',
    registers,
  })
  return {
    ends: (certificate, endMs) => ends.set({ certificate }, endMs / 1_000),
    nodeEnds: (organizationId, endMs) =>
      withRoom(nodes, rememberedLimit).set(organizationId, { endMs, atMs: clock.monotonicMs() }),
    issued: (certificate, reason) => issued.inc({ certificate, reason }),
    failed: () => failures.inc(),
  }
}
