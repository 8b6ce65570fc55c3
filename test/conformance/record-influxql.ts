import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { lineProtocol } from './influxql/data.ts'
import type { RecordedRequest } from './influxql/request.ts'
import { recordedRequests } from './influxql/requests.ts'
import { deleteSteps, type RecordedStep } from './influxql/deletes.ts'

/**
 * Records what a real InfluxDB 1.8.10 answers: `node test/conformance/record-influxql.ts --influxd PATH`, with
 * `--only deletes` for these alone. The answers
 * go to test/golden/influxql, against which the unit tests hold the query engine. The server runs with one processor,
 * which makes the order of equal points and the rounding of sums repeatable.
 */
const golden = join(import.meta.dirname, '../golden/influxql')

interface Recorded {
  readonly request: RecordedRequest
  readonly status: number
  readonly body: string
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

function configuration(folder: string, httpPort: number, backupPort: number): string {
  return `reporting-disabled = true
bind-address = "127.0.0.1:${backupPort}"
[meta]
  dir = "${folder}/meta"
[data]
  dir = "${folder}/data"
  wal-dir = "${folder}/wal"
[http]
  bind-address = "127.0.0.1:${httpPort}"
  log-enabled = false
[monitor]
  store-enabled = false
[logging]
  level = "error"
`
}

async function ready(base: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const answered = await fetch(`${base}/ping`).then(
      () => true,
      () => false,
    )
    if (answered) return
    await sleep(100)
  }
  throw new Error('influxd did not answer within ten seconds')
}

async function ask(base: string, request: RecordedRequest): Promise<Recorded> {
  const url = new URL('/query', base)
  url.search = new URLSearchParams({ db: 'd', ...request.parameters }).toString()
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      ...(request.csv ? { accept: 'text/csv' } : {}),
    },
    body: new URLSearchParams({ q: request.q }).toString(),
  })
  return { request, status: response.status, body: await response.text() }
}

async function record(base: string): Promise<void> {
  await ask(base, { q: 'CREATE DATABASE d' })
  const data = lineProtocol()
  const written = await fetch(`${base}/write?db=d`, { method: 'POST', body: data })
  if (written.status !== 204) throw new Error(`write answered ${written.status}: ${await written.text()}`)
  writeFileSync(join(golden, 'data.lp'), `${data}\n`)
  for (const [name, requests] of Object.entries(recordedRequests)) {
    const answers: Recorded[] = []
    for (const request of requests) answers.push(await ask(base, request))
    writeFileSync(join(golden, `${name}.json`), `${JSON.stringify(answers, null, 1)}\n`)
    console.log(`${name}: ${answers.length} answers`)
  }
}

/** Deletes change what is there: they are recorded one after the other, in a database of their own. */
async function recordDeletes(base: string): Promise<void> {
  const parameters = { db: 'deletes' }
  await ask(base, { q: 'CREATE DATABASE deletes' })
  const recorded: RecordedStep[] = []
  for (const step of deleteSteps) {
    if ('q' in step) {
      recorded.push({ ...step, body: (await ask(base, { q: step.q, parameters })).body })
      continue
    }
    const response = await fetch(`${base}/write?db=deletes`, { method: 'POST', body: step.write })
    recorded.push({ ...step, body: await response.text() })
  }
  mkdirSync(join(golden, '../influxql-deletes'), { recursive: true })
  writeFileSync(join(golden, '../influxql-deletes/steps.json'), `${JSON.stringify(recorded, null, 1)}\n`)
  console.log(`deletes: ${recorded.length} answers`)
}

async function main(): Promise<void> {
  const options = { influxd: { type: 'string' }, only: { type: 'string' } } as const
  const { influxd, only } = parseArgs({ options }).values
  if (influxd === undefined) throw new Error('--influxd PATH is missing: the program of InfluxDB 1.8.10')
  mkdirSync(golden, { recursive: true })
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-influxd-'))
  const port = await freePort()
  writeFileSync(join(folder, 'influxd.conf'), configuration(folder, port, await freePort()))
  const server = spawn(influxd, ['-config', join(folder, 'influxd.conf')], {
    env: { ...process.env, GOMAXPROCS: '1' },
    stdio: 'ignore',
  })
  const ended = new Promise((resolve) => server.once('exit', resolve))
  try {
    const base = `http://127.0.0.1:${port}`
    await ready(base)
    if (only !== 'deletes') await record(base)
    await recordDeletes(base)
  } finally {
    server.kill()
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
}

await main()
