import { quantile, short } from './figures.ts'
import type { Bodies, LoadResult } from './loader.ts'
import { longTypes, withLongQueries } from './long-queries.ts'
import type { Figure, Line, Table } from './report.ts'
import { hosts, settled, writePath, type Run } from './run.ts'
import type { Server, ServerName } from './server.ts'

const longQueries = 8
const requests = 200
const paceMs = 50
const writers = 4

/** 1,000 lines twenty times a second, for ten seconds. */
const bodies: Bodies = {
  shape: 'whole',
  hosts,
  rows: requests * 1_000,
  linesPerBatch: 1_000,
  seed: 2,
  gzip: false,
}

interface Stretch {
  readonly written: LoadResult
  readonly answered: number
  readonly failed: number
}

/** How long writes take at a steady pace: quiet, then while eight clients ask long queries without a pause. */
export async function latency(run: Run, servers: readonly Server[]): Promise<Table> {
  await run.loader.order({ kind: 'prepare', bodies })
  const quiet = new Map<ServerName, Stretch>()
  const busy = new Map<ServerName, Stretch>()
  for (const server of servers) {
    quiet.set(server.kind.name, await stretch(run, server, 'quiet', 0))
    busy.set(server.kind.name, await stretch(run, server, 'busy', longQueries))
  }
  await run.loader.order({ kind: 'forget' })
  const meanwhile = `while eight clients ask ${longTypes.join(' and ')}`
  return {
    title: 'Latency of writes',
    unit: 'ms',
    better: 'less',
    lines: [
      line('quiet, p50', quiet, 0.5),
      line('quiet, p99', quiet, 0.99),
      line(`p50 ${meanwhile}`, busy, 0.5),
      line(`p99 ${meanwhile}`, busy, 0.99),
      {
        what: 'such queries answered meanwhile (and failed), a second',
        figures: Object.fromEntries([...busy].map(([name, each]) => [name, queriesOf(each)])),
      },
    ],
    notes: [
      `${requests} writes of 1,000 rows, one due every ${paceMs} ms, ${writers} connections; counted from when a write was due.`,
    ],
  }
}

async function stretch(run: Run, server: Server, name: string, clients: number): Promise<Stretch> {
  await settled([server])
  await server.createDatabase(name)
  return withLongQueries(server, clients, async (asked) => {
    const written = await run.loader.order({
      kind: 'write',
      bodies,
      url: server.url + writePath(name),
      headers: server.headers,
      writers,
      paceMs,
      slice: null,
    })
    const { answered, failed, errors } = asked
    run.say(
      `${server.kind.title}, ${name}: write p50 ${short(quantile(written.latenciesMs, 0.5))} ms, p99 ${short(quantile(written.latenciesMs, 0.99))} ms; ${answered} long queries answered, ${failed} failed${[...errors].map((error) => `, ${error}`).join('')}`,
    )
    return { written, answered, failed }
  })
}

const line = (what: string, stretches: ReadonlyMap<ServerName, Stretch>, share: number): Line => ({
  what,
  figures: Object.fromEntries(
    [...stretches].map(([name, { written }]): [ServerName, Figure] => {
      const value = quantile(written.latenciesMs, share)
      return [name, { value, text: short(value) }]
    }),
  ),
})

function queriesOf({ answered, failed, written }: Stretch): Figure {
  const perSecond = (count: number) => short((count / written.elapsedMs) * 1000)
  return { value: null, text: `${perSecond(answered)} (${perSecond(failed)})` }
}
