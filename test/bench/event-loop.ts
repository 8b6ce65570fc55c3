import { fork } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import type { EventLoopDelay } from '../../common/event-loop-delay.ts'
import { short } from './figures.ts'
import type { Bodies } from './loader.ts'
import { withLongQueries } from './long-queries.ts'
import { database } from './queries.ts'
import type { Line, Table } from './report.ts'
import { hosts, linesPerBatch, settled, writePath, type Run } from './run.ts'
import type { Server } from './server.ts'

const bodies: Bodies = { shape: 'noisy', hosts, rows: 200_000, linesPerBatch, seed: 4, gzip: false }
const writers = 4
const clients = 8
const busyMs = 20_000
const quietMs = 5_000

interface Metrics {
  readonly delay: EventLoopDelay
  readonly flushes: number
  readonly compactions: number
}

/**
 * How late the storage node's event loop is while everything comes at once, beside that of a process which does nothing
 * on the same machine at the same time. @returns null where no server tells
 */
export async function eventLoop(run: Run, servers: readonly Server[]): Promise<Table | null> {
  const server = servers.find(({ metricsUrl }) => metricsUrl !== null)
  if (!server) return null
  const control = startControl()
  try {
    await settled(servers)
    await Promise.all([metricsOf(server), control.read()])
    await sleep(quietMs)
    const quiet = await Promise.all([metricsOf(server), control.read()])
    const answered = await everythingAtOnce(run, server)
    const busy = await Promise.all([metricsOf(server), control.read()])
    const flushes = busy[0].flushes - quiet[0].flushes
    const compactions = busy[0].compactions - quiet[0].compactions
    run.say(
      `event loop p99 ${short(busy[0].delay.p99Ms)} ms, of the control process ${short(busy[1].p99Ms)} ms; ${flushes} flushes, ${compactions} compactions, ${answered} long queries`,
    )
    return {
      title: 'Delay of the event loop',
      unit: 'ms: p50, p99, most',
      better: 'less',
      lines: [
        line('idle', quiet[0].delay),
        line('a process that does nothing, meanwhile', quiet[1]),
        line('ingest, eight clients with long queries, flushes and compactions', busy[0].delay),
        line('a process that does nothing, meanwhile', busy[1]),
      ],
      notes: [
        `How much later a timer of 2 ms came than it should. ${writers} writers without a pause, ${flushes} flushes, ${compactions} compactions of files with deleted rows, ${answered} long queries answered.`,
      ],
    }
  } finally {
    control.stop()
  }
}

/** @returns how many long queries were answered */
async function everythingAtOnce(run: Run, server: Server): Promise<number> {
  await run.loader.order({ kind: 'prepare', bodies })
  await server.createDatabase('meanwhile')
  // Every file of the day has rows of this host, so all of them are written again.
  const query = new URLSearchParams({ db: database, q: "DELETE FROM cpu WHERE hostname = 'host_99'" })
  await server.send('POST', `/query?${query.toString()}`)
  const startedMs = performance.now()
  const answered = await withLongQueries(server, clients, async (asked) => {
    while (performance.now() - startedMs < busyMs)
      await run.loader.order({
        kind: 'write',
        bodies,
        url: server.url + writePath('meanwhile'),
        headers: server.headers,
        writers,
        paceMs: null,
        slice: null,
      })
    return asked.answered
  })
  await run.loader.order({ kind: 'forget' })
  return answered
}

function startControl() {
  const child = fork(join(import.meta.dirname, 'control-process.ts'))
  return {
    read: () =>
      new Promise<EventLoopDelay>((resolve, reject) => {
        child.once('message', (delay: EventLoopDelay) => resolve(delay))
        child.once('exit', () => reject(new Error('the control process has ended')))
        child.send('read')
      }),
    stop: () => void child.kill(),
  }
}

async function metricsOf({ metricsUrl }: Server): Promise<Metrics> {
  const { body } = await request(metricsUrl!)
  const text = await body.text()
  const value = (name: string, label = ''): number => {
    const found = text
      .split('\n')
      .find((each) => each.startsWith(`holdfast_node_${name}{`) && each.includes(label))
    if (found === undefined) throw new Error(`${name} is not among the metrics`)
    return Number(found.slice(found.lastIndexOf(' ')))
  }
  const delayMs = (quantile: string) => value('event_loop_delay_seconds', `quantile="${quantile}"`) * 1000
  return {
    delay: { p50Ms: delayMs('0.5'), p99Ms: delayMs('0.99'), maxMs: delayMs('1') },
    flushes: value('flushes'),
    compactions: value('compactions'),
  }
}

const line = (what: string, { p50Ms, p99Ms, maxMs }: EventLoopDelay): Line => ({
  what,
  figures: { holdfast: { value: null, text: [p50Ms, p99Ms, maxMs].map(short).join(', ') } },
})
