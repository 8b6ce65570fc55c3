/**
 * Data of the shape that time-series benchmarks call devops, cpu-only: hosts with ten tags and ten gauges that walk up
 * and down between 0 and 100, every 10 s. The same options give the same bytes.
 *
 * `whole`: whole numbers, lines in the order of time. `noisy`: six decimals. `late`: whole numbers, every fifth line up
 * to an hour away from its place. A row a host, as with as many hosts as rows, makes every line a new series.
 */
export type Shape = 'whole' | 'noisy' | 'late'

export interface DevopsOptions {
  readonly shape: Shape
  readonly hosts: number
  readonly rows: number
  readonly linesPerBatch: number
  readonly seed: number
}

const states = 'user system idle nice iowait irq softirq steal guest guest_nice'
export const gauges: readonly string[] = states.split(' ').map((name) => `usage_${name}`)
export const startNs = 1_451_606_400_000_000_000n
export const intervalMs = 10_000
const lateRows = 360

/** A small seeded generator of numbers in [0, 1): mulberry32. */
export function random(seed: number): () => number {
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
  const lines = devopsLines(options, next)
  if (options.shape === 'late') displace(lines, options.hosts * lateRows, next)
  return Array.from({ length: Math.ceil(lines.length / options.linesPerBatch) }, (_, index) =>
    Buffer.from(lines.slice(index * options.linesPerBatch, (index + 1) * options.linesPerBatch).join('\n')),
  )
}

function devopsLines({ shape, hosts, rows }: DevopsOptions, next: () => number): string[] {
  const tags = Array.from({ length: hosts }, (_, host) => hostTags(host, next))
  const values = tags.map(() => gauges.map(() => next() * 100))
  const lines: string[] = []
  for (let row = 0; row < rows; row++) {
    const host = row % hosts
    const walk = values[host]!
    let fields = ''
    for (const [index, gauge] of gauges.entries()) {
      walk[index] = Math.min(100, Math.max(0, walk[index]! + next() * 2 - 1))
      const value = shape === 'noisy' ? walk[index].toFixed(6) : String(Math.round(walk[index]))
      fields += `${index === 0 ? '' : ','}${gauge}=${value}`
    }
    lines.push(`cpu,${tags[host]} ${fields} ${timeOf(Math.floor(row / hosts))}`)
  }
  return lines
}

const timeOf = (step: number): string => `${startNs / 1_000_000n + BigInt(step * intervalMs)}000000`

function hostTags(host: number, next: () => number): string {
  const pick = (name: string, count: number) => `${name}=${name}_${Math.floor(next() * count)}`
  return [
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
  ].join(',')
}

/** Every tenth line changes places with one up to `distance` lines on. */
function displace(lines: string[], distance: number, next: () => number): void {
  for (let index = 0; index < lines.length; index += 10) {
    const other = Math.min(lines.length - 1, index + Math.floor(next() * distance))
    const line = lines[index]!
    lines[index] = lines[other]!
    lines[other] = line
  }
}
