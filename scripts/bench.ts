import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { version } from '../common/version.ts'
import { devopsBatches } from '../test/bench/devops.ts'

/**
 * `make bench`: a storage node alone, over HTTP on the loopback interface, with everything on: token check, encryption,
 * fsync before the answer. Prints medians of the rounds and writes docs/benchmarks.md.
 */
const rounds = 5
const hosts = 100
const rows = 50_000
const linesPerBatch = 5_000
const port = 28_086
const root = join(import.meta.dirname, '..')
const url = `http://127.0.0.1:${port}`
const dispatcher = new Agent({ connections: 16 })

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!
const round = (number: number, digits = 0): string => number.toFixed(digits)

interface RunningNode {
  readonly pid: number
  readonly token: string
  stop(): Promise<void>
}

async function startNode(data: string): Promise<RunningNode> {
  const child = spawn(
    process.execPath,
    ['scripts/node.ts', '--data', data, '--listen', `127.0.0.1:${port}`, '--log-level', 'warn'],
    { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] },
  )
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  for (let attempt = 0; ; attempt++) {
    const ready = await request(`${url}/ready`, { dispatcher })
      .then(async ({ statusCode, body }) => (await body.dump(), statusCode === 200))
      .catch(() => false)
    if (ready) break
    if (attempt === 200) throw new Error('the storage node did not become ready within 20 s')
    await sleep(100)
  }
  return {
    pid: child.pid!,
    token: (await readFile(await tokenFile(data), 'utf8')).trim(),
    stop: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** The first start wrote the first token beside the data folder. */
async function tokenFile(data: string): Promise<string> {
  const folder = join(data, '..')
  const name = (await readdir(folder, { recursive: true })).find((entry) => /token/.test(entry))
  if (name === undefined) throw new Error(`no token file in ${folder}`)
  return join(folder, name)
}

async function send(path: string, token: string, body?: Buffer): Promise<string> {
  const response = await request(url + path, {
    method: 'POST',
    headers: { authorization: `Token ${token}` },
    body: body ?? null,
    dispatcher,
  })
  const text = await response.body.text()
  if (response.statusCode >= 300) throw new Error(`${path}: ${response.statusCode} ${text}`)
  return text
}

/** @returns rows a second */
async function ingest(
  node: RunningNode,
  database: string,
  batches: readonly Buffer[],
  writers: number,
): Promise<number> {
  await send(`/query?q=${encodeURIComponent(`CREATE DATABASE ${database}`)}`, node.token)
  const startedMs = performance.now()
  let next = 0
  await Promise.all(
    Array.from({ length: writers }, async () => {
      for (let index = next++; index < batches.length; index = next++)
        await send(`/write?db=${database}`, node.token, batches[index])
    }),
  )
  return (rows / (performance.now() - startedMs)) * 1000
}

const queries: Readonly<Record<string, string>> = {
  'one host, one hour, max a minute':
    "SELECT max(usage_user) FROM cpu WHERE hostname = 'host_7' AND time >= '2016-01-01T00:00:00Z' AND time < '2016-01-01T01:00:00Z' GROUP BY time(1m)",
  'all hosts, mean an hour':
    "SELECT mean(usage_user) FROM cpu WHERE time >= '2016-01-01T00:00:00Z' AND time < '2016-01-01T02:00:00Z' GROUP BY time(1h), hostname",
  'last value of every host': 'SELECT last(usage_user) FROM cpu GROUP BY hostname',
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return performance.now() - startedMs
}

async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024
}

async function folderBytes(folder: string): Promise<number> {
  let bytes = 0
  for (const name of await readdir(folder, { recursive: true })) {
    const found = await stat(join(folder, name)).catch(() => null)
    if (found?.isFile()) bytes += found.size
  }
  return bytes
}

const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'))
const table: string[] = []
const note = (what: string, figure: string) => {
  table.push(`| ${what} | ${figure} |`)
  console.log(`${what}: ${figure}`)
}
const data = join(folder, 'data')
let node = await startNode(data)
try {
  note('memory, idle after start', `${round(await residentMb(node.pid))} MB RSS`)
  for (const writers of [1, 4]) {
    const rates: number[] = []
    for (let index = 0; index < rounds; index++) {
      const batches = devopsBatches({ hosts, rows, linesPerBatch, seed: index + 1 })
      rates.push(await ingest(node, `w${writers}r${index}`, batches, writers))
    }
    note(
      `ingest, ${writers} writer${writers === 1 ? '' : 's'}`,
      `${round(median(rates))} rows/s (${round(Math.min(...rates))} to ${round(Math.max(...rates))})`,
    )
  }
  note('memory after ingest', `${round(await residentMb(node.pid))} MB RSS`)
  const ask = (text: string) => send(`/query?db=w1r0&q=${encodeURIComponent(text)}`, node.token)
  const measure = async (state: string) => {
    for (const [name, text] of Object.entries(queries)) {
      await ask(text)
      const times: number[] = []
      for (let index = 0; index < rounds * 4; index++) times.push(await timed(() => ask(text)))
      note(`query, ${state}: ${name}`, `p50 ${round(median(times), 1)} ms`)
    }
  }
  await measure('after ingest')
  await node.stop()
  note(
    'disk after a clean stop',
    `${round((await folderBytes(data)) / (rows * rounds * 2 * 10), 2)} bytes a value`,
  )
  const restartMs = await timed(async () => (node = await startNode(data)))
  note('start to ready with this data', `${round(restartMs)} ms`)
  await measure('after a restart, from files')
} finally {
  await node.stop()
  await rm(folder, { recursive: true, force: true })
}
await writeFile(
  join(root, 'docs/benchmarks.md'),
  `# Benchmarks

Written by \`make bench\`. Storage node ${version} alone, Node ${process.versions.node}, ${cpus().length} cores (${cpus()[0]!.model}), loader on the same machine. HTTP
on the loopback interface with everything on: token check, encryption, fsync before the answer. Data: cpu-only devops shape, ${hosts} hosts, ten tags, ten
whole-numbered fields, ${rows} rows a round in batches of ${linesPerBatch} lines; medians of ${rounds} rounds.

| what | figure |
| --- | --- |
${table.join('\n')}
`,
)
