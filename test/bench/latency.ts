import { quantile, short } from './figures.ts'
import type { Bodies, LoadResult } from './loader.ts'
import { errorOf } from './answers.ts'
import { queryTypes, questionsOf } from './queries.ts'
import { ask } from './query-bench.ts'
import type { Figure, Line, Table } from './report.ts'
import { hosts, settled, writePath, type Run } from './run.ts'
import type { Server, ServerName } from './server.ts'

const longQueries = 8
const longTypes = ['double-groupby-all', 'high-cpu-all']
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
      `${requests} writes of 1,000 rows, one due every ${paceMs} ms, ${writers} connections; counted from when a write was due. Event-loop delay is not among the figures: a node alone serves no metrics.`,
    ],
  }
}

async function stretch(run: Run, server: Server, name: string, clients: number): Promise<Stretch> {
  await settled([server])
  await server.createDatabase(name)
  const questions = queryTypes
    .filter((type) => longTypes.includes(type.name))
    .flatMap((type) => questionsOf(type, longQueries))
  let answered = 0
  let failed = 0
  let next = 0
  const over = new AbortController()
  const client = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const answer = await ask(server, questions[next++ % questions.length]!).catch(() => '"error":"refused"')
      if (errorOf(answer) === null) answered++
      else failed++
    }
  }
  const asking = Array.from({ length: clients }, client)
  try {
    const written = await run.loader.order({
      kind: 'write',
      bodies,
      url: server.url + writePath(name),
      headers: server.headers,
      writers,
      paceMs,
      slice: null,
    })
    run.say(
      `${server.kind.title}, ${name}: write p50 ${short(quantile(written.latenciesMs, 0.5))} ms, p99 ${short(quantile(written.latenciesMs, 0.99))} ms; ${answered} long queries answered, ${failed} failed`,
    )
    return { written, answered, failed }
  } finally {
    over.abort()
    await Promise.all(asking)
  }
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
