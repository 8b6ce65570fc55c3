import type { Shape } from './devops.ts'
import { median, short } from './figures.ts'
import type { Bodies } from './loader.ts'
import { memoryTable, watchMemory } from './memory.ts'
import { spreadLine, type Line, type Table } from './report.ts'
import { hosts, linesPerBatch, settled, withServers, writePath, type Run } from './run.ts'
import type { Server, ServerName } from './server.ts'

interface Case {
  readonly what: string
  readonly shape: Shape
  readonly writers: number
  readonly gzip: boolean
  /** Every line a new series. */
  readonly newSeries: boolean
}

const main = (writers: number, gzip: boolean): Case => ({
  what: `whole numbers, ${writers} writer${writers === 1 ? '' : 's'}${gzip ? ', gzip' : ''}`,
  shape: 'whole',
  writers,
  gzip,
  newSeries: false,
})
const cases: readonly Case[] = [
  ...[1, 4, 16].flatMap((writers) => [main(writers, false), main(writers, true)]),
  { what: 'six decimals, 4 writers', shape: 'noisy', writers: 4, gzip: false, newSeries: false },
  { what: 'a fifth out of order, 4 writers', shape: 'late', writers: 4, gzip: false, newSeries: false },
  { what: '100,000 new series, 4 writers', shape: 'whole', writers: 4, gzip: false, newSeries: true },
]
const newSeriesRows = 100_000
const warmBodies = 10

/** Rows a second over HTTP, processor time, and memory: every round writes the same bodies to every server in turn. */
export async function ingest(run: Run, only: (writers: number) => boolean): Promise<readonly Table[]> {
  const rates: Line[] = []
  const costs: Line[] = []
  const memories: Line[] = []
  const loaderCosts: number[] = []
  const wanted = cases.filter(({ writers }) => only(writers))
  for (const newSeries of [false, true]) {
    const group = wanted.filter((each) => each.newSeries === newSeries)
    if (group.length === 0) continue
    await withServers(run, async (servers) => {
      const watch = watchMemory(servers)
      try {
        for (const each of group) {
          const { rate, cost, loaderCost } = await oneCase(run, servers, each)
          rates.push(rate)
          costs.push(cost)
          loaderCosts.push(loaderCost)
        }
        memories.push(...(await watch.lines(newSeries ? '100,000 new series a round' : 'few series')))
      } finally {
        watch.stop()
      }
    })
  }
  const notes = [
    `${run.rows} rows of ten fields a round, ${run.rounds} rounds, ${linesPerBatch} lines a request; medians, least and most.`,
    'After each round of new series the database is dropped, where there are databases.',
  ]
  return [
    { title: 'Ingest', unit: 'rows/s', better: 'more', lines: rates, notes },
    {
      title: 'Processor time of ingest',
      unit: 's for a million rows',
      better: 'less',
      lines: costs,
      notes: [
        `All of the server, its background work until it is idle again included. The loader took ${short(median(loaderCosts))} s.`,
      ],
    },
    memoryTable('Memory under ingest', memories),
  ]
}

async function oneCase(
  run: Run,
  servers: readonly Server[],
  each: Case,
): Promise<{ rate: Line; cost: Line; loaderCost: number }> {
  const rows = each.newSeries ? newSeriesRows : run.rows
  const bodies: Bodies = {
    shape: each.shape,
    hosts: each.newSeries ? newSeriesRows : hosts,
    rows,
    linesPerBatch,
    seed: 1,
    gzip: each.gzip,
  }
  await run.loader.order({ kind: 'prepare', bodies })
  const rates = new Map<ServerName, number[]>(servers.map(({ kind }) => [kind.name, []]))
  const costs = new Map<ServerName, number[]>(servers.map(({ kind }) => [kind.name, []]))
  const loaderCosts: number[] = []
  // Programs that compile while they run, and those that start threads when first asked, are warm when it counts.
  if (!each.newSeries)
    for (const server of servers) await oneRound(run, server, each, bodies, 'warm', [0, warmBodies])
  for (let round = 0; round < run.rounds; round++)
    for (const server of servers) {
      const { rate, cpuSeconds, loaderCpuSeconds } = await oneRound(
        run,
        server,
        each,
        bodies,
        String(round),
        null,
      )
      rates.get(server.kind.name)!.push(rate)
      costs.get(server.kind.name)!.push((cpuSeconds / rows) * 1e6)
      loaderCosts.push((loaderCpuSeconds / rows) * 1e6)
    }
  await run.loader.order({ kind: 'forget' })
  const rate = spreadLine(each.what, rates)
  run.say(
    `${each.what}: ${Object.entries(rate.figures)
      .map(([name, { text }]) => `${name} ${text}`)
      .join('; ')} rows/s`,
  )
  return { rate, cost: spreadLine(each.what, costs), loaderCost: median(loaderCosts) }
}

async function oneRound(
  run: Run,
  server: Server,
  each: Case,
  bodies: Bodies,
  round: string,
  slice: readonly [number, number] | null,
): Promise<{ rate: number; cpuSeconds: number; loaderCpuSeconds: number }> {
  const database = `${each.shape}_${each.writers}_${each.gzip ? 'gzip' : 'plain'}_${each.newSeries}_${round}`
  await server.createDatabase(database)
  const before = await server.group.cpuSeconds(server.pid)
  const result = await run.loader.order({
    kind: 'write',
    bodies,
    url: server.url + writePath(database),
    headers: server.headers,
    writers: each.writers,
    paceMs: null,
    slice,
  })
  await settled([server])
  const cpuSeconds = (await server.group.cpuSeconds(server.pid)) - before
  // Each round of new series begins with a server that has none.
  if (each.newSeries) await server.dropDatabase(database)
  if (result.refusals > 0) run.say(`${server.kind.title} asked ${result.refusals} times to come back later`)
  const { loaderCpuSeconds } = result
  return { rate: (result.rows / result.elapsedMs) * 1000, cpuSeconds, loaderCpuSeconds }
}
