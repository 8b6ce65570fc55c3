import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { startStorageNode, untilReady, type NodeProcess } from '../support/storage-node.ts'
import { temporaryFolder } from './engine-support.ts'

/**
 * Promise: a node whose flushes fail again and again says so, and why, before it refuses writes; it answers queries all
 * the while, and goes back to normal by itself.
 */

const within = { timeout: 60_000, interval: 100 }
const linesPerBody = 2_000
const text = 'x'.repeat(1_000)

/** A query process that ends at once while there is a file of this name. */
const fragile = (broken: string) => `
import { existsSync } from 'node:fs'
if (existsSync(${JSON.stringify(broken)})) process.exit(9)
await import(${JSON.stringify(join(import.meta.dirname, '../../storage-node/query-process/main.ts'))})
`

function body(number: number): string {
  return Array.from(
    { length: linesPerBody },
    (_, k) => `m s="${text}" ${number * linesPerBody + k + 1}`,
  ).join('\n')
}

const url = (node: NodeProcess, path: string) => `http://127.0.0.1:${node.port}${path}`
const write = (node: NodeProcess, number: number, signal?: AbortSignal) =>
  fetch(url(node, '/write?db=d'), { method: 'POST', body: body(number), ...(signal && { signal }) })
const ready = async (node: NodeProcess) => {
  const response = await fetch(url(node, '/ready'))
  return { status: response.status, said: (await response.json()) as { troubles?: object[] } }
}

async function metric(node: NodeProcess, name: string): Promise<number> {
  const all = await (await fetch(`http://127.0.0.1:${node.metricsPort}/metrics`)).text()
  return Number(new RegExp(`^holdfast_node_${name}\\{.*\\} (.+)$`, 'm').exec(all)?.[1])
}

async function counted(node: NodeProcess): Promise<unknown> {
  const query = new URLSearchParams({ db: 'd', q: 'SELECT count(s) FROM m' })
  const response = await fetch(url(node, `/query?${query.toString()}`))
  const { results } = (await response.json()) as { results: { series?: { values: unknown[][] }[] }[] }
  return results[0]?.series?.[0]?.values[0]?.[1]
}

async function expectTrouble(node: NodeProcess, refusesWrites: boolean): Promise<void> {
  await vi.waitFor(async () => {
    expect(await ready(node)).toMatchObject({
      status: 200,
      said: {
        status: 'ready',
        troubles: [
          {
            work: 'flush',
            message:
              'buffers cannot be put into files: the query process, which reads and writes files, ended',
            refusesWrites,
          },
        ],
      },
    })
  }, within)
}

test('a query process that ends at each flush', async () => {
  await using folder = await temporaryFolder()
  const broken = join(folder.path, 'broken')
  const program = join(folder.path, 'query-process.mjs')
  await writeFile(program, fragile(broken))
  await writeFile(broken, '')
  const node = await startStorageNode(
    [
      '--data',
      join(folder.path, 'data'),
      '--listen',
      '127.0.0.1:0',
      '--auth',
      'off',
      '--metrics-listen',
      '127.0.0.1:0',
    ],
    { HOLDFAST_QUERY_PROCESS: program, HOLDFAST_MEMORY_LIMIT_BYTES: String(256 * 1_048_576) },
  )
  try {
    await untilReady(node.port)
    await fetch(url(node, '/query?q=CREATE+DATABASE+d'), { method: 'POST' })
    let bodies = 0
    // Well above what is put into files, and below what is refused.
    for (; bodies < 8; bodies++) expect((await write(node, bodies)).status).toBe(204)
    await expectTrouble(node, false)
    expect(await metric(node, 'flush_failures_total')).toBeGreaterThanOrEqual(3)
    expect(await metric(node, 'flush_consecutive_failures')).toBeGreaterThanOrEqual(3)
    expect(await metric(node, 'flush_last_success_timestamp_seconds')).toBe(0)
    expect(await counted(node)).toBe(bodies * linesPerBody)

    const given = new AbortController()
    const refused = Array.from({ length: 12 }, (_, k) =>
      write(node, 1_000 + k, given.signal).then(async ({ status, headers }) => {
        if (status === 204) throw new Error('taken')
        return [status, headers.get('retry-after')]
      }),
    )
    expect(await Promise.any(refused)).toEqual([503, '2'])
    await expectTrouble(node, true)
    const health = (await (await fetch(url(node, '/health'))).json()) as { message: string }
    expect(health.message).toMatch(/^ready for queries, writes are refused: buffers cannot be put into files/)

    given.abort()
    await Promise.allSettled(refused)
    await rm(broken)
    await vi.waitFor(async () => expect((await ready(node)).said.troubles).toBe(undefined), within)
    expect((await write(node, bodies)).status).toBe(204)
    expect(await metric(node, 'flush_consecutive_failures')).toBe(0)
    expect(await metric(node, 'flush_last_success_timestamp_seconds')).toBeCloseTo(Date.now() / 1_000, -2)
    expect(await node.stop()).toBe(0)
  } finally {
    await node.kill()
  }
})
