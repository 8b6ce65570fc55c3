import { Counter, Gauge, Histogram } from 'prom-client'
import { createRegistry } from '../common/metrics.ts'

/** Nothing is counted by organization: the nodes do that, and anybody could make up ids. */
export function createGatewayMetrics(openPools: () => number) {
  const registry = createRegistry('gateway')
  const registers = [registry]
  const pools: Gauge = new Gauge({
    name: 'holdfast_gateway_pools',
    help: 'Organizations with open connections',
    registers,
    collect: (): void => pools.set(openPools()),
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
    durations: new Histogram({
      name: 'holdfast_gateway_request_duration_seconds',
      help: 'Time from the request headers to the end of the answer',
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
      registers,
    }),
  }
}

export type GatewayMetrics = ReturnType<typeof createGatewayMetrics>
