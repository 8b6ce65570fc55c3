import { gauges } from './devops.ts'
import { eventLoop } from './event-loop.ts'
import { short } from './figures.ts'
import { latency } from './latency.ts'
import { memoryTable, watchMemory } from './memory.ts'
import type { Part } from './options.ts'
import { queryRows } from './queries.ts'
import { compactAll, devopsDay, load, queryNotes, queryTable } from './query-bench.ts'
import type { Figure, Line, Table } from './report.ts'
import { settled, withServers, type Run } from './run.ts'
import type { Server, ServerName } from './server.ts'

/** All that is measured on a day of a hundred hosts: queries, write latency beside them, size on disk. */
export async function day(run: Run, parts: readonly Part[]): Promise<readonly Table[]> {
  const has = (part: Part) => parts.includes(part)
  const tables: Table[] = []
  const sizes: Line[] = []
  await withServers(run, async (servers) => {
    await load(run, servers, devopsDay)
    if (has('queries')) tables.push(await queryTable(run, servers, 'right after ingest', queryNotes(run)))
    if (has('queries') || has('size')) await compactAll(run, servers)
    if (has('size')) sizes.push(await sizeLine(run, servers, 'whole numbers'))
    if (has('queries')) tables.push(...(await queriesFromFiles(run, servers)))
    // Last of all: what it writes would count as size.
    if (has('latency')) {
      tables.push(await latency(run, servers))
      const delay = await eventLoop(run, servers)
      if (delay) tables.push(delay)
    }
  })
  if (has('size'))
    await withServers(run, async (servers) => {
      await load(run, servers, { ...devopsDay, shape: 'noisy' })
      await compactAll(run, servers)
      sizes.push(await sizeLine(run, servers, 'six decimals'))
    })
  if (sizes.length > 0) tables.push(sizeTable(sizes))
  return tables
}

/** And the memory that they take, from a start that has read nothing yet. */
async function queriesFromFiles(run: Run, servers: readonly Server[]): Promise<readonly Table[]> {
  const watch = watchMemory(servers)
  try {
    const notes = ['After a clean restart of ours, and with all files merged.']
    const table = await queryTable(run, servers, 'from files', notes)
    return [table, memoryTable('Memory under queries from files', await watch.lines('the eight types'))]
  } finally {
    watch.stop()
  }
}

async function sizeLine(run: Run, servers: readonly Server[], what: string): Promise<Line> {
  await settled(servers)
  const figures = await Promise.all(
    servers.map(async (server): Promise<[ServerName, Figure]> => {
      const value = (await server.diskBytes()) / (queryRows * gauges.length)
      return [server.kind.name, { value, text: value.toFixed(3) }]
    }),
  )
  run.say(
    `${what}: ${figures.map(([name, { value }]) => `${name} ${short(value ?? 0)}`).join('; ')} bytes a value`,
  )
  return { what, figures: Object.fromEntries(figures) }
}

const sizeTable = (lines: readonly Line[]): Table => ({
  title: 'Size on disk',
  unit: 'bytes a value',
  better: 'less',
  lines,
  notes: [
    `${queryRows} rows of ten fields, after files were merged: blocks of all files of the data folder, indexes and logs included, without the room that Holdfast keeps for a full disk.`,
  ],
})
