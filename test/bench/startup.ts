import { mebibytes, short } from './figures.ts'
import type { Bodies } from './loader.ts'
import { database } from './queries.ts'
import { spreadLine, type Line, type Table } from './report.ts'
import { hosts, linesPerBatch, withServers, writePath, type Run } from './run.ts'
import type { Server, ServerName } from './server.ts'

const fullLogBytes = 128 * 1024 * 1024
/** The size of the log is looked at after so many bodies. */
const stepBodies = 10
const maxKills = 3
const nearlyLongest = 0.8

/** Numbers that do not compress: no log gets smaller by them than it must. */
const bodies: Bodies = { shape: 'noisy', hosts, rows: 1_000_000, linesPerBatch, seed: 3, gzip: false }

/** From the start of the program until it is ready: with an empty folder, and after kill -9 with as long a log as it gets. */
export async function startup(run: Run): Promise<Table> {
  const fresh = new Map<ServerName, number[]>(run.kinds.map(({ name }) => [name, []]))
  const killed = new Map<ServerName, number[]>(run.kinds.map(({ name }) => [name, []]))
  const logs = new Map<ServerName, number>()
  await run.loader.order({ kind: 'prepare', bodies })
  for (let round = 0; round < Math.min(run.rounds, maxKills); round++)
    await withServers(run, async (servers) => {
      for (const [index, server] of servers.entries()) {
        const { name, title } = server.kind
        fresh.get(name)!.push(server.startMs)
        const logBytes = await fillLog(run, server)
        servers[index] = await server.restart('SIGKILL')
        killed.get(name)!.push(servers[index].startMs)
        logs.set(name, Math.max(logs.get(name) ?? 0, logBytes))
        run.say(
          `${title}: ready after ${short(servers[index].startMs)} ms with ${mebibytes(logBytes)} MiB of log`,
        )
      }
    })
  await run.loader.order({ kind: 'forget' })
  const logLine: Line = {
    what: 'MiB of log then, at most',
    figures: Object.fromEntries(
      [...logs].map(([name, bytes]) => [name, { value: null, text: mebibytes(bytes) }]),
    ),
  }
  return {
    title: 'From start to ready',
    unit: 'ms',
    better: 'less',
    lines: [spreadLine('nothing written', fresh), spreadLine('after kill -9 under writes', killed), logLine],
    notes: [
      'Rows of six decimals; killed when the log has 128 MiB, or is nearly as long as the server ever lets it get.',
    ],
  }
}

/** @returns the size of the log when it is about as long as this server lets it get */
async function fillLog(run: Run, server: Server): Promise<number> {
  await server.createDatabase(database)
  let logBytes = 0
  let longest = 0
  const total = bodies.rows / linesPerBatch
  for (let from = 0; from < total; from += stepBodies) {
    await run.loader.order({
      kind: 'write',
      bodies,
      url: server.url + writePath(database),
      headers: server.headers,
      writers: 4,
      paceMs: null,
      slice: [from, from + stepBodies],
    })
    logBytes = await server.logBytes()
    longest = Math.max(longest, logBytes)
    const asLongAsItGets = from > total / 2 && logBytes > longest * nearlyLongest
    if (logBytes >= fullLogBytes || asLongAsItGets) break
  }
  return logBytes
}
