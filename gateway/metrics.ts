import { Counter, Gauge, Histogram } from 'prom-client'
import { createRegistry } from '../common/metrics.ts'

/** Nothing is counted by organization: the nodes do that, and anybody could make up ids. */
export function createGatewayMetrics(read: {
  readonly pools: () => number
  readonly heldRequests: () => number
}) {
  const registry = createRegistry('gateway')
  const registers = [registry]
  const pools: Gauge = new Gauge({
    name: 'holdfast_gateway_pools',
    help: 'Organizations with open connections',
    registers,
    collect: (): void => pools.set(read.pools()),
  })
  const held: Gauge = new Gauge({
    name: 'holdfast_gateway_held_requests',
    help: 'Requests that wait for their organization to wake',
    registers,
    collect: (): void => held.set(read.heldRequests()),
  })
  return {
    registry,
    requests: new Counter({
      name: 'holdfast_gateway_requests_total',
      help: 'Requests by status and by who answered: the gateway or a node',
      labelNames: ['status', 'by'] as const,
      registers,
    }),
    refusals: new Counter({
      name: 'holdfast_gateway_refusals_total',
      help: 'Requests that the gateway refused, by reason',
      labelNames: ['reason'] as const,
      registers,
    }),
    holds: new Histogram({
      name: 'holdfast_gateway_hold_seconds',
      help: 'How long requests waited for their organization to wake, by how that ended',
      labelNames: ['end'] as const,
      buckets: [0.1, 0.5, 1, 2, 4, 8, 16],
      registers,
    }),
    durations: new Histogram({
      name: 'holdfast_gateway_request_duration_seconds',
      help: 'Time from the request headers to the end of the answer',
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
      registers,
    }),
  }
}

export type GatewayMetrics = ReturnType<typeof createGatewayMetrics>
