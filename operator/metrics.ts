import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { createRegistry } from '../common/metrics.ts'

/** How a pass over a tenant ended. */
export type PassResult = 'settled' | 'waiting' | 'error'
/** How a tenant stands, as its Organization's conditions say. */
export type TenantState = 'ready' | 'reconciling' | 'stalled' | 'deleting'

/** The operator's own figures. No tenant's name is a label: their number has no bound. */
export interface OperatorMetrics {
  readonly registry: Registry
  passEnded(result: PassResult, seconds: number): void
  tenantIs(key: string, state: TenantState): void
  tenantGone(key: string): void
  pushFailed(): void
}

/** @param gauges read when the figures are fetched */
export function createMetrics(gauges: {
  readonly queueDepth: () => number
  readonly nodeConnections: () => number
  readonly isLeader: () => boolean
}): OperatorMetrics {
  const registry = createRegistry('operator')
  const registers = [registry]
  const passes = new Histogram({
    name: 'holdfast_reconcile_duration_seconds',
    help: 'Passes over a tenant, by how they ended.',
    labelNames: ['result'],
    buckets: [0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  })
  const pushFailures = new Counter({
    name: 'holdfast_node_push_failures_total',
    help: 'State documents that a storage node did not take or that did not reach it.',
    registers,
  })
  const states = new Map<string, TenantState>()
  gauge('holdfast_queue_depth', 'Tenants that wait for a pass.', gauges.queueDepth)
  gauge('holdfast_node_connections', 'Storage nodes with an open admin connection.', gauges.nodeConnections)
  gauge('holdfast_leader', '1 on the operator that holds the lease.', () => Number(gauges.isLeader()))
  new Gauge({
    name: 'holdfast_tenants',
    help: 'Organizations by state.',
    labelNames: ['state'],
    registers,
    collect() {
      this.reset()
      for (const state of ['ready', 'reconciling', 'stalled', 'deleting']) this.set({ state }, 0)
      for (const state of states.values()) this.inc({ state })
    },
  })

  function gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read())
      },
    })
  }

  return {
    registry,
    passEnded: (result, seconds) => passes.observe({ result }, seconds),
    tenantIs: (key, state) => states.set(key, state),
    tenantGone: (key) => states.delete(key),
    pushFailed: () => pushFailures.inc(),
  }
}
