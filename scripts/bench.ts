import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { day } from '../test/bench/day.ts'
import { document } from '../test/bench/document.ts'
import { holdfast } from '../test/bench/holdfast.ts'
import { influxdb } from '../test/bench/influxdb.ts'
import { ingest } from '../test/bench/ingest.ts'
import { startLoader } from '../test/bench/loader.ts'
import { parseOptions, type Options } from '../test/bench/options.ts'
import { withStorageNode } from '../test/bench/page.ts'
import { markdown, type Table } from '../test/bench/report.ts'
import type { Run } from '../test/bench/run.ts'
import { startup } from '../test/bench/startup.ts'
import { victoriametrics } from '../test/bench/victoriametrics.ts'
import { script, timedProgress } from './script.ts'

const page = join(import.meta.dirname, '../docs/benchmarks.md')

/**
 * `make bench`: the storage node beside real peers in one run, over HTTP on the loopback interface. Without options it
 * does everything and writes docs/benchmarks.md; with options it prints to the terminal only.
 */
async function everyTable(run: Run, { only, writers }: Options): Promise<readonly Table[]> {
  const tables: Table[] = []
  if (only.includes('ingest')) tables.push(...(await ingest(run, (count) => writers.includes(count))))
  if (only.some((part) => ['queries', 'latency', 'size'].includes(part)))
    tables.push(...(await day(run, only)))
  if (only.includes('startup')) tables.push(await startup(run))
  return tables
}

await script(async () => {
  const options = parseOptions(process.argv.slice(2))
  const startedMs = performance.now()
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'))
  const loader = startLoader()
  // The next thing asked of the loader fails, and all servers and their data are removed on the way out.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => loader.stop())
  try {
    const kinds = [await holdfast(join(folder, 'program'))]
    if (options.peers.includes('influxdb')) kinds.push(await influxdb())
    if (options.peers.includes('victoriametrics')) kinds.push(await victoriametrics())
    const { rounds, rows, memoryMib } = options
    const memoryLimitBytes = memoryMib === null ? null : memoryMib * 1024 * 1024
    const run = { kinds, loader, rounds, rows, folder, memoryLimitBytes, say: timedProgress() }
    const tables = await everyTable(run, options)
    console.log(`\n${tables.map((table) => markdown(table, kinds)).join('\n')}`)
    if (!options.whole) return
    const before = await readFile(page, 'utf8').catch(() => '')
    await writeFile(page, withStorageNode(before, document(tables, kinds, performance.now() - startedMs)))
  } finally {
    loader.stop()
    await rm(folder, { recursive: true, force: true })
  }
})
