import { collectDefaultMetrics, Registry } from 'prom-client'

/**
 * A registry of Prometheus metrics for one program, with those of the process itself. Names start with `holdfast_`;
 * units come last, in base units (seconds, bytes). No label ever holds a secret or has unbounded values.
 */
export function createRegistry(program: string): Registry {
  const registry = new Registry()
  registry.setDefaultLabels({ program })
  collectDefaultMetrics({ register: registry })
  return registry
}
