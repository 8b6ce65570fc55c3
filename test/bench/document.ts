import { cpus, release, totalmem } from 'node:os'
import { markdown, type Table } from './report.ts'
import type { ServerKind } from './server.ts'

/** docs/benchmarks.md without the operator's section. @param elapsedMs of the run */
export function document(tables: readonly Table[], kinds: readonly ServerKind[], elapsedMs: number): string {
  const processors = cpus()
  const gibibytes = Math.round(totalmem() / 1024 ** 3)
  const machine = `${processors.length} cores (${processors[0]?.model.trim() ?? 'unknown'}), ${gibibytes} GiB, Linux ${release()}`
  const versions = kinds.map(({ title, version, durability }) => `- ${title} ${version}: ${durability}.`)
  return `# Benchmarks

Written by \`make bench\`, every server in one run of ${Math.round(elapsedMs / 60_000)} minutes on one machine: ${machine}, Node
${process.versions.node}. The loader is a process of its own on the same cores; bodies are made before anything is timed; HTTP on the loopback
interface; servers take turns, and each is idle again before the next is measured.

${versions.join('\n')}

Data: hosts with ten tags and ten gauges that walk between 0 and 100, every 10 s: the devops, cpu-only shape of the Time Series Benchmark Suite, by a
generator of our own. "Against" is made such that above ×1 is better for Holdfast.

A part of it, to the terminal alone: \`npm run bench -- --only ingest,queries,latency,size,startup --peers influxdb,victoriametrics|none --rounds 1
--rows 300000 --writers 1,4,16\`; with \`--memory-mib 256\` no server gets more memory, and what the kernel had to kill is counted.

${tables.map((table) => markdown(table, kinds)).join('\n')}`
}
