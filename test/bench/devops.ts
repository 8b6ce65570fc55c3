/**
 * Data of the shape that time-series benchmarks call devops, cpu-only: hosts with ten tags and ten whole-numbered
 * gauges that walk up and down, every 10 s. The same seed gives the same bytes.
 */
export interface DevopsOptions {
  readonly hosts: number
  readonly rows: number
  readonly linesPerBatch: number
  readonly seed: number
}

const gauges = ['user', 'system', 'idle', 'nice', 'iowait', 'irq', 'softirq', 'steal', 'guest', 'guest_nice']
const startNs = 1_451_606_400_000_000_000n
const intervalNs = 10_000_000_000n

/** A small seeded generator of numbers in [0, 1): mulberry32. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Batches of lines, as request bodies. */
export function devopsBatches(options: DevopsOptions): readonly Buffer[] {
  const next = random(options.seed)
  const pick = (name: string, count: number) => `${name}=${name}_${Math.floor(next() * count)}`
  const tags = Array.from({ length: options.hosts }, (_, host) =>
    [
      'arch=x64',
      pick('datacenter', 20),
      `hostname=host_${host}`,
      'os=Ubuntu16.10',
      pick('rack', 100),
      pick('region', 9),
      pick('service', 20),
      'service_environment=production',
      pick('service_version', 2),
      pick('team', 4),
    ].join(','),
  )
  const values = tags.map(() => gauges.map(() => Math.floor(next() * 101)))
  const lines: string[] = []
  for (let row = 0; row < options.rows; row++) {
    const host = row % options.hosts
    const walk = values[host]!
    const fields = gauges.map((gauge, index) => {
      walk[index] = Math.min(100, Math.max(0, walk[index]! + Math.round(next() * 2 - 1)))
      return `usage_${gauge}=${walk[index]}`
    })
    const time = startNs + BigInt(Math.floor(row / options.hosts)) * intervalNs
    lines.push(`cpu,${tags[host]} ${fields.join(',')} ${time}`)
  }
  return Array.from({ length: Math.ceil(lines.length / options.linesPerBatch) }, (_, index) =>
    Buffer.from(lines.slice(index * options.linesPerBatch, (index + 1) * options.linesPerBatch).join('\n')),
  )
}
