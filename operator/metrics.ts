import { Counter, Gauge, type Registry } from 'prom-client'
import type { WakeOutcome } from './wake/door.ts'

/** How a tenant stands, as its Organization's conditions say. */
export type TenantState = 'ready' | 'reconciling' | 'stalled' | 'deleting'

const tenantStates: readonly TenantState[] = ['ready', 'reconciling', 'stalled', 'deleting']

/** The figures of the reconciler, besides those that queue, watches and client keep. No tenant's name is a label. */
export interface OperatorMetrics {
  tenantIs(key: string, state: TenantState): void
  tenantGone(key: string): void
  pushFailed(): void
  rolloutEnded(outcome: 'done' | 'rolled-back'): void
  wakeAsked(outcome: WakeOutcome): void
  readonly isolationTried: (outcome: string) => void
}

/** @param gauges read when the figures are fetched */
export function createMetrics(
  registry: Registry,
  gauges: { readonly nodeConnections: () => number; readonly isLeader: () => boolean },
): OperatorMetrics {
  const registers = [registry]
  const pushFailures = new Counter({
    name: 'holdfast_node_push_failures_total',
    help: 'State documents that a storage node did not take or that did not reach it',
    registers,
  })
  const rollouts = new Counter({
    name: 'holdfast_rollouts_total',
    help: 'Changes of version, resources or scheduling of an organization’s storage nodes that have ended',
    labelNames: ['outcome'],
    registers,
  })
  const wakes = new Counter({
    name: 'holdfast_wake_requests_total',
    help: 'What the gateway was told that asked for an organization: awake, waking, asleep, denied or limited',
    labelNames: ['outcome'],
    registers,
  })
  const isolation = new Counter({
    name: 'holdfast_isolation_tries_total',
    help: 'Times that an organization’s closed paths were tried: isolated, open, or untried for want of a control',
    labelNames: ['outcome'],
    registers,
  })
  const states = new Map<string, TenantState>()
  readGauge(
    registry,
    'holdfast_node_connections',
    'Storage nodes with an admin connection',
    gauges.nodeConnections,
  )
  readGauge(registry, 'holdfast_leader', '1 on the operator that holds the lease', () =>
    Number(gauges.isLeader()),
  )
  const tenants = new Gauge({
    name: 'holdfast_tenants',
    help: 'Organizations by state',
    labelNames: ['state'],
    registers,
    collect: () => {
      for (const state of tenantStates) {
        tenants.set({ state }, [...states.values()].filter((found) => found === state).length)
      }
    },
  })
  return {
    tenantIs: (key, state) => states.set(key, state),
    tenantGone: (key) => states.delete(key),
    pushFailed: () => pushFailures.inc(),
    rolloutEnded: (outcome) => rollouts.inc({ outcome }),
    wakeAsked: (outcome) => wakes.inc({ outcome }),
    isolationTried: (outcome) => isolation.inc({ outcome }),
  }
}

function readGauge(registry: Registry, name: string, help: string, read: () => number): Gauge {
  const gauge: Gauge = new Gauge({ name, help, registers: [registry], collect: () => gauge.set(read()) })
  return gauge
}
