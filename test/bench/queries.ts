import { gauges, intervalMs, random, startNs } from './devops.ts'
import { hosts } from './run.ts'

/** One question, in the languages of the servers. */
export interface Question {
  readonly influxql: string
  /** Near to the same: how near says `metricsqlNote` of its type. Path and parameters of VictoriaMetrics' API. */
  readonly metricsql: { readonly path: string; readonly parameters: Readonly<Record<string, string>> }
}

export interface QueryType {
  readonly name: string
  readonly what: string
  /** What VictoriaMetrics is asked instead. */
  readonly metricsqlNote: string
  ask(next: () => number): Question
}

export const database = 'devops'
export const dataHours = 24
export const queryRows = (dataHours * 3_600_000 * hosts) / intervalMs
const startMs = Number(startNs / 1_000_000n)
const hourMs = 3_600_000

interface Window {
  readonly fromMs: number
  readonly toMs: number
}

const iso = (ms: number): string => new Date(ms).toISOString()
const within = ({ fromMs, toMs }: Window): string => `time >= '${iso(fromMs)}' AND time < '${iso(toMs)}'`

/** A window of so many hours somewhere in the data, from a whole second on. */
function windowOf(next: () => number, hours: number): Window {
  const room = (dataHours - hours) * hourMs
  const fromMs = startMs + Math.floor((next() * room) / 1000) * 1000
  return { fromMs, toMs: fromMs + hours * hourMs }
}

function pickHosts(next: () => number, count: number): readonly string[] {
  const picked = new Set<string>()
  while (picked.size < count) picked.add(`host_${Math.floor(next() * hosts)}`)
  return [...picked]
}

const hostIs = (names: readonly string[]): string =>
  `(${names.map((name) => `hostname = '${name}'`).join(' OR ')})`
const hostMatch = (names: readonly string[]): string => `hostname=~"${names.join('|')}"`
const each = (call: string, count: number): string =>
  gauges
    .slice(0, count)
    .map((gauge) => `${call}(${gauge})`)
    .join(', ')
const named = (count: number): string =>
  count === gauges.length ? `__name__=~"cpu_.*"` : `__name__=~"cpu_(${gauges.slice(0, count).join('|')})"`

/** A point of VictoriaMetrics looks back from its time, so its first one is a step after the window's start. */
function range({ fromMs, toMs }: Window, query: string, stepMs: number): Question['metricsql'] {
  const parameters = {
    query,
    start: String((fromMs + stepMs) / 1000),
    end: String(toMs / 1000),
    step: `${stepMs / 1000}s`,
    nocache: '1',
  }
  return { path: '/api/v1/query_range', parameters }
}

const plural = (count: number | null): string => (count === 1 ? '' : 's')
const ofDatabase = `db="${database}"`

function singleGroupby(name: string, fields: number, count: number): QueryType {
  return {
    name,
    what: `maximum a minute of ${fields} field${plural(fields)}, ${count} host${plural(count)}, 1 h`,
    metricsqlNote: 'the same, a point closed at its end',
    ask(next) {
      const names = pickHosts(next, count)
      const window = windowOf(next, 1)
      const where = `${hostIs(names)} AND ${within(window)}`
      const select = `{${named(fields)},${hostMatch(names)},${ofDatabase}}`
      return {
        influxql: `SELECT ${each('max', fields)} FROM cpu WHERE ${where} GROUP BY time(1m)`,
        metricsql: range(window, `max(max_over_time(${select}[1m])) by (__name__)`, 60_000),
      }
    },
  }
}

function doubleGroupby(name: string, fields: number): QueryType {
  return {
    name,
    what: `mean an hour of ${fields} field${plural(fields)}, every host, 12 h`,
    metricsqlNote: 'the same, hours counted from the start of the window',
    ask(next) {
      const window = windowOf(next, 12)
      const select = `{${named(fields)},${ofDatabase}}`
      return {
        influxql: `SELECT ${each('mean', fields)} FROM cpu WHERE ${within(window)} GROUP BY time(1h), hostname`,
        metricsql: range(window, `avg(avg_over_time(${select}[1h])) by (__name__, hostname)`, hourMs),
      }
    },
  }
}

function highCpu(name: string, count: number | null): QueryType {
  return {
    name,
    what: `all fields of rows with usage_user > 90, ${count ?? 'all'} host${plural(count)}, 12 h`,
    metricsqlNote: 'all fields at steps of 10 s where usage_user > 90, by set operation',
    ask(next) {
      const names = count === null ? null : pickHosts(next, count)
      const window = windowOf(next, 12)
      const match = names === null ? ofDatabase : `${hostMatch(names)},${ofDatabase}`
      const and = names === null ? '' : ` AND ${hostIs(names)}`
      const query = `{__name__=~"cpu_.*",${match}} and on(hostname) (cpu_usage_user{${match}} > 90)`
      return {
        influxql: `SELECT * FROM cpu WHERE usage_user > 90.0 AND ${within(window)}${and}`,
        metricsql: range(window, query, intervalMs),
      }
    },
  }
}

const lastpoint: QueryType = {
  name: 'lastpoint',
  what: 'the last row of every host',
  metricsqlNote: 'the last value of every series in the last day',
  ask: () => ({
    influxql: 'SELECT * FROM cpu GROUP BY hostname ORDER BY time DESC LIMIT 1',
    metricsql: {
      path: '/api/v1/query',
      parameters: {
        query: `last_over_time({__name__=~"cpu_.*",${ofDatabase}}[1d])`,
        time: String(startMs / 1000 + dataHours * 3600),
        nocache: '1',
      },
    },
  }),
}

const groupbyOrderbyLimit: QueryType = {
  name: 'groupby-orderby-limit',
  what: 'maximum a minute of all hosts, the last five minutes before a time',
  metricsqlNote: 'told which five minutes, so it reads no others',
  ask(next) {
    const { toMs } = windowOf(next, 1)
    const window = { fromMs: toMs - 5 * 60_000, toMs }
    const where = `time < '${iso(toMs)}'`
    const query = `max(max_over_time(cpu_usage_user{${ofDatabase}}[1m]))`
    return {
      influxql: `SELECT max(usage_user) FROM cpu WHERE ${where} GROUP BY time(1m) ORDER BY time DESC LIMIT 5`,
      metricsql: range(window, query, 60_000),
    }
  },
}

export const queryTypes: readonly QueryType[] = [
  singleGroupby('single-groupby-1-1-1', 1, 1),
  singleGroupby('single-groupby-5-8-1', 5, 8),
  doubleGroupby('double-groupby-1', 1),
  doubleGroupby('double-groupby-all', gauges.length),
  highCpu('high-cpu-1', 1),
  highCpu('high-cpu-all', null),
  lastpoint,
  groupbyOrderbyLimit,
]

/** The questions of a type, the same in every run. */
export function questionsOf(type: QueryType, count: number): readonly Question[] {
  const next = random(42)
  return Array.from({ length: count }, () => type.ask(next))
}
