import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { imageForm } from '../support/image-form.ts'
import { MemoryGroup } from '../support/memory-group.ts'
import { startStorageNode, untilReady } from '../support/storage-node.ts'
import { temporaryFolder } from './engine-support.ts'

/**
 * Promise: in a pod of 256 MiB eight clients with long queries wait for each other, and all of them get the right
 * answer: no query fails for want of memory, and the kernel ends no process.
 */
const limitBytes = 256 * 1_048_576
const clients = 8
const hosts = 50
const rowsPerHost = 2_000
const rowsPerBody = 100
const fields = 10
const startS = 1_700_000_000
const highFrom = 90

const group = await MemoryGroup.create('holdfast-queries', limitBytes)
const reason = typeof group === 'string' ? `: ${group}` : ''

const value = (host: number, row: number): number => (host * 7 + row * 13) % 100

function body(fromRow: number): string {
  const lines: string[] = []
  for (let row = fromRow; row < fromRow + rowsPerBody; row++)
    for (let host = 0; host < hosts; host++) {
      const values = Array.from({ length: fields }, (_, field) => `f${field}=${value(host, row) + field}`)
      lines.push(`cpu,host=h${host} ${values.join()} ${startS + row * 10}`)
    }
  return lines.join('\n')
}

interface Answer {
  readonly results: readonly {
    readonly error?: string
    readonly series?: readonly { readonly values: readonly (readonly (number | string)[])[] }[]
  }[]
}

async function ask(url: string, q: string): Promise<readonly (readonly (number | string)[])[]> {
  const parameters = new URLSearchParams({ db: 'd', epoch: 's', q })
  const response = await fetch(`${url}/query?${parameters.toString()}`, { method: 'POST' })
  const text = await response.text()
  expect(response.status, text.slice(0, 500)).toBe(200)
  const { results } = JSON.parse(text) as Answer
  expect(results[0]?.error).toBe(undefined)
  return results[0]?.series?.flatMap(({ values }) => values) ?? []
}

async function write(url: string): Promise<void> {
  await ask(url, 'CREATE DATABASE d')
  for (let row = 0; row < rowsPerHost; row += rowsPerBody) {
    const sent = { method: 'POST', body: body(row) }
    expect((await fetch(`${url}/write?db=d&precision=s`, sent)).status).toBe(204)
  }
}

/** Every field of all rows that a condition leaves, and the mean of every field, by turns. */
async function askLong(url: string, client: number): Promise<void> {
  if (client % 2 === 0) {
    const rows = await ask(url, `SELECT * FROM cpu WHERE f0 > ${highFrom}`)
    const high = Array.from({ length: hosts * rowsPerHost }, (_, index) =>
      value(index % hosts, Math.floor(index / hosts)),
    ).filter((each) => each > highFrom)
    expect(rows.length).toBe(high.length)
    const sum = rows.reduce((total, row) => total + Number(row[1]), 0)
    expect(sum).toBe(high.reduce((total, each) => total + each, 0))
    return
  }
  const means = Array.from({ length: fields }, (_, field) => `mean(f${field})`)
  const rows = await ask(url, `SELECT ${means.join()} FROM cpu GROUP BY host ORDER BY time`)
  expect(rows.length).toBe(hosts)
  const all = Array.from({ length: rowsPerHost }, (_, row) => value(0, row))
  const mean = all.reduce((total, each) => total + each, 0) / rowsPerHost
  for (let field = 0; field < fields; field++) expect(rows[0]![field + 1]).toBeCloseTo(mean + field, 6)
}

const scatteredPoints = 450_000
const scatteredBatches = 3

/** Points of two weeks in no order of time. */
function scattered(batch: number): string {
  return Array.from({ length: scatteredPoints }, (_, k) => {
    const number = (k * 65_537) % scatteredPoints
    return `m,h=h${number % 50} v=${number}i ${startS + number * scatteredBatches + batch}000000000`
  }).join('\n')
}

async function expectAnswerOrReason(url: string, q: string): Promise<void> {
  const parameters = new URLSearchParams({ db: 'd', epoch: 's', q })
  const response = await fetch(`${url}/query?${parameters.toString()}`)
  const text = await response.text()
  if (text.length > 1_000) return expect(text).toMatch(/\]\}\]\}\]\}\n$/)
  const [result] = (JSON.parse(text) as Answer).results
  if (result?.error !== undefined) expect(result.error).toMatch(/points than there is memory for/)
}

/** A node as its image holds it, in the group. */
async function withNode(measured: MemoryGroup, use: (url: string) => Promise<void>): Promise<void> {
  await using folder = await temporaryFolder()
  const form = await imageForm('storage-node', join(folder.path, 'app'))
  const environment = {
    ...form.environment,
    HOLDFAST_DATA_DIR: join(folder.path, 'data'),
    HOLDFAST_LISTEN: '127.0.0.1:0',
    HOLDFAST_AUTH: 'off',
    HOLDFAST_MEMORY_LIMIT_BYTES: String(limitBytes),
  }
  const node = await startStorageNode([], environment, measured.within(form.command))
  try {
    await untilReady(node.port)
    await use(`http://127.0.0.1:${node.port}`)
  } finally {
    await node.kill()
  }
}

describe.skipIf(typeof group === 'string')(`bounded queries${reason}`, () => {
  const measured = group as MemoryGroup
  afterAll(() => measured.remove())

  test('queries over all points', async () => {
    await withNode(measured, async (url) => {
      await ask(url, 'CREATE DATABASE d')
      for (let batch = 0; batch < scatteredBatches; batch++) {
        const sent = { method: 'POST', body: scattered(batch) }
        expect((await fetch(`${url}/write?db=d`, sent)).status).toBe(204)
      }
      const heavy = [
        'SELECT v FROM m ORDER BY time DESC',
        'SELECT percentile(v, 50), median(v), mode(v) FROM m',
        'SELECT distinct(v) FROM m',
        'SELECT max(x) FROM (SELECT mean(v) AS x FROM (SELECT v FROM m) GROUP BY time(1m), h) GROUP BY h',
      ]
      await Promise.all(heavy.map((q) => expectAnswerOrReason(url, q)))
      expect(await measured.kills()).toBe(0)
      const all = scatteredBatches * scatteredPoints
      expect(await ask(url, 'SELECT count(v) FROM m')).toEqual([[0, all]])
    })
  })

  test('eight long queries at a time', async () => {
    await withNode(measured, async (url) => {
      await write(url)
      await Promise.all(Array.from({ length: clients }, (_, client) => askLong(url, client)))
      expect(await measured.kills()).toBe(0)
    })
  })
})
