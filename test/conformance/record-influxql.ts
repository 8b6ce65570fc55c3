import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { influxdb } from '../bench/influxdb.ts'
import { startServer } from '../bench/server.ts'
import { lineProtocol } from './influxql/data.ts'
import type { RecordedRequest } from './influxql/request.ts'
import { recordedRequests } from './influxql/requests.ts'
import { deleteSteps, type RecordedStep } from './influxql/deletes.ts'

/**
 * Records what a real InfluxDB 1.8.10, the one of the benchmarks, answers: `node test/conformance/record-influxql.ts`,
 * with `--only deletes` for these alone. The answers go to test/golden/influxql, against which the unit tests hold the
 * query engine. The server runs with one processor, which makes the order of equal points and the rounding of sums
 * repeatable.
 */
const golden = join(import.meta.dirname, '../golden/influxql')

interface Recorded {
  readonly request: RecordedRequest
  readonly status: number
  readonly body: string
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
  await ask(base, { q: 'DROP DATABASE deletes' })
  mkdirSync(join(golden, '../influxql-deletes'), { recursive: true })
  writeFileSync(join(golden, '../influxql-deletes/steps.json'), `${JSON.stringify(recorded, null, 1)}\n`)
  console.log(`deletes: ${recorded.length} answers`)
}

async function main(): Promise<void> {
  const options = { only: { type: 'string' } } as const
  const { only } = parseArgs({ options }).values
  mkdirSync(golden, { recursive: true })
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-influxd-'))
  const kind = await influxdb()
  const server = await startServer(
    {
      ...kind,
      command: async (...place) => ({ ...(await kind.command(...place)), env: { GOMAXPROCS: '1' } }),
    },
    folder,
    { memoryLimitBytes: null, eagerCompaction: false },
  )
  try {
    // First, since the answers to deletes name shards by number.
    await recordDeletes(server.url)
    if (only !== 'deletes') await record(server.url)
  } finally {
    await server.dispose()
  }
}

await main()
