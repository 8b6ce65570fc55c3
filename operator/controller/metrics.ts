import {
  Counter,
  Gauge,
  Histogram,
  type CounterConfiguration,
  type GaugeConfiguration,
  type HistogramConfiguration,
  type Registry,
} from 'prom-client'

/*
 * Several controllers and reflectors share one registry and the same metrics, told apart by a label. Whoever comes
 * first makes the metric.
 */

export function counterIn<L extends string>(registry: Registry, config: CounterConfiguration<L>): Counter<L> {
  const present = registry.getSingleMetric(config.name)
  return present instanceof Counter ? present : new Counter({ ...config, registers: [registry] })
}

export function gaugeIn<L extends string>(registry: Registry, config: GaugeConfiguration<L>): Gauge<L> {
  const present = registry.getSingleMetric(config.name)
  return present instanceof Gauge ? present : new Gauge({ ...config, registers: [registry] })
}

export function histogramIn<L extends string>(
  registry: Registry,
  config: HistogramConfiguration<L>,
): Histogram<L> {
  const present = registry.getSingleMetric(config.name)
  return present instanceof Histogram ? present : new Histogram({ ...config, registers: [registry] })
}
