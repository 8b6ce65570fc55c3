import { difference, errorOf, hasValues } from './answers.ts'
import { short } from './figures.ts'
import type { Bodies } from './loader.ts'
import { database, queryRows, queryTypes, questionsOf, type Question, type QueryType } from './queries.ts'
import { spreadLine, type Figure, type Line, type Table } from './report.ts'
import { hosts, linesPerBatch, settled, writePath, type Run } from './run.ts'
import type { Server, ServerName } from './server.ts'

/** Different questions of a type. A round asks one server all of them, then the next one, when the others are idle. */
const questionsPerType = 8

export const devopsDay: Bodies = {
  shape: 'whole',
  hosts,
  rows: queryRows,
  linesPerBatch,
  seed: 1,
  gzip: false,
}

/** The eight query types, in whatever state the servers are. */
export async function queryTable(
  run: Run,
  servers: readonly Server[],
  state: string,
  notes: readonly string[],
): Promise<Table> {
  const lines = await everyType(run, servers, state)
  return { title: `Queries ${state}`, unit: 'p50 ms', better: 'less', lines, notes }
}

/** What has to be known to read the tables of queries. */
export function queryNotes(run: Run): readonly string[] {
  const asked = `${questionsPerType} different questions a type, each asked ${run.rounds} times, one server after the other; medians, least and most.`
  const near = queryTypes.map(({ name, metricsqlNote }) => `${name}: ${metricsqlNote}`).join('; ')
  return [
    `${queryRows} rows: ${hosts} hosts, a day, every 10 s. ${asked} Answers of ours and InfluxDB's are compared first: floats to 1e-9, rows of one time in any order.`,
    ...(run.kinds.some(({ name }) => name === 'victoriametrics')
      ? [
          `VictoriaMetrics, its cache of results off, is asked in MetricsQL and answers something near: ${near}.`,
        ]
      : []),
  ]
}

/** Writes the bodies to every server, one after the other. */
export async function load(run: Run, servers: readonly Server[], bodies: Bodies): Promise<void> {
  await run.loader.order({ kind: 'prepare', bodies })
  for (const server of servers) {
    await server.createDatabase(database)
    const url = server.url + writePath(database)
    const { headers } = server
    const { rows, elapsedMs } = await run.loader.order({
      kind: 'write',
      bodies,
      url,
      headers,
      writers: 4,
      paceMs: null,
      slice: null,
    })
    run.say(`${server.kind.title}: ${rows} rows in ${short(elapsedMs / 1000)} s`)
    if (server.kind.name === 'victoriametrics') await server.send('GET', '/internal/force_flush')
  }
  await run.loader.order({ kind: 'forget' })
}

/** Puts what `compact` gives back into the place of each server. */
export async function compactAll(run: Run, servers: Server[]): Promise<void> {
  run.say('merging files')
  const merged = await Promise.all(servers.map((server) => server.kind.compact(server)))
  servers.splice(0, servers.length, ...merged)
}

async function everyType(run: Run, servers: readonly Server[], state: string): Promise<readonly Line[]> {
  await settled(servers)
  const lines: Line[] = []
  for (const type of queryTypes) {
    const line = await oneType(run, servers, type)
    run.say(
      `${state}, ${type.name}: ${Object.entries(line.figures)
        .map(([name, { text }]) => `${name} ${text}`)
        .join('; ')} ms`,
    )
    lines.push(line)
  }
  return lines
}

async function oneType(run: Run, servers: readonly Server[], type: QueryType): Promise<Line> {
  const questions = questionsOf(type, questionsPerType)
  const failures = new Map<ServerName, Figure>()
  let found = 0
  for (const question of questions) found += await compare(servers, type, question, failures)
  const able = servers.filter(({ kind }) => !failures.has(kind.name))
  if (found === 0 && able.length > 0) throw new Error(`${type.name}: no question of it finds anything`)
  const times = new Map<ServerName, number[]>(able.map(({ kind }) => [kind.name, []]))
  for (let round = 0; round < run.rounds; round++)
    for (const server of able) {
      await settled(servers)
      for (const question of questions) {
        const startedMs = performance.now()
        await ask(server, question)
        times.get(server.kind.name)!.push(performance.now() - startedMs)
      }
    }
  const { what, figures } = spreadLine(`${type.name}: ${type.what}`, times)
  return { what, figures: { ...figures, ...Object.fromEntries(failures) } }
}

export function ask(server: Server, question: Question): Promise<string> {
  if (server.kind.name !== 'victoriametrics')
    return server.send(
      'GET',
      `/query?${new URLSearchParams({ db: database, q: question.influxql }).toString()}`,
    )
  const { path, parameters } = question.metricsql
  return server.send('GET', `${path}?${new URLSearchParams(parameters).toString()}`)
}

/**
 * Asks every server once, and leaves out those that cannot answer.
 * @returns how many of the answers hold values
 * @throws Error where ours and InfluxDB do not say the same
 */
async function compare(
  servers: readonly Server[],
  type: QueryType,
  question: Question,
  failures: Map<ServerName, Figure>,
): Promise<number> {
  const answers = new Map<ServerName, string>()
  for (const server of servers) {
    const { name } = server.kind
    if (failures.has(name)) continue
    const answer = await ask(server, question)
    const error = errorOf(answer)
    if (error === null) answers.set(name, answer)
    else failures.set(name, { value: null, text: `fails: ${error}` })
  }
  const [ours, theirs] = [answers.get('holdfast'), answers.get('influxdb')]
  if (ours !== undefined && theirs !== undefined) {
    const found = difference(JSON.parse(ours), JSON.parse(theirs))
    if (found !== null)
      throw new Error(`${type.name}: ours and InfluxDB differ at ${found}\n${question.influxql}`)
  }
  return [...answers.values()].filter(hasValues).length
}
