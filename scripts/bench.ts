import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { document } from '../test/bench/document.ts'
import { holdfast } from '../test/bench/holdfast.ts'
import { influxdb } from '../test/bench/influxdb.ts'
import { ingest } from '../test/bench/ingest.ts'
import { startLoader } from '../test/bench/loader.ts'
import { parseOptions, type Options } from '../test/bench/options.ts'
import { queries } from '../test/bench/query-bench.ts'
import { markdown, type Table } from '../test/bench/report.ts'
import type { Run } from '../test/bench/run.ts'
import { victoriametrics } from '../test/bench/victoriametrics.ts'
import { script, timedProgress } from './script.ts'

const page = join(import.meta.dirname, '../docs/benchmarks.md')

/**
 * `make bench`: the storage node beside real peers in one run, over HTTP on the loopback interface. Without options it
 * does everything and writes docs/benchmarks.md; with options it prints to the terminal only.
 */
async function everyTable(run: Run, options: Options): Promise<readonly Table[]> {
  const tables: Table[] = []
  if (options.only.includes('ingest'))
    tables.push(...(await ingest(run, (writers) => options.writers.includes(writers))))
  if (options.only.includes('queries')) tables.push(...(await queries(run)))
  return tables
}

await script(async () => {
  const options = parseOptions(process.argv.slice(2))
  const startedMs = performance.now()
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'))
  const loader = startLoader()
  try {
    const kinds = [await holdfast(join(folder, 'program'))]
    if (options.peers.includes('influxdb')) kinds.push(await influxdb())
    if (options.peers.includes('victoriametrics')) kinds.push(await victoriametrics())
    const { rounds, rows, memoryMib } = options
    const memoryLimitBytes = memoryMib === null ? null : memoryMib * 1024 * 1024
    const run = { kinds, loader, rounds, rows, folder, memoryLimitBytes, say: timedProgress() }
    const tables = await everyTable(run, options)
    console.log(`\n${tables.map((table) => markdown(table, kinds)).join('\n')}`)
    if (options.whole) await writeFile(page, document(tables, kinds, performance.now() - startedMs))
  } finally {
    loader.stop()
    await rm(folder, { recursive: true, force: true })
  }
})
