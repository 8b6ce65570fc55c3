import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { MemoryGroup } from '../support/memory-group.ts'
import { startStorageNode, untilReady, type NodeProcess } from '../support/storage-node.ts'
import { temporaryFolder } from './engine-support.ts'

/**
 * Promise: a node with the memory of the chart's default takes bodies as large as they may be, in whatever order of
 * time, without ever being ended for want of memory: neither then, nor when it replays its log.
 */
const limitBytes = 512 * 1024 * 1024
const program = join(import.meta.dirname, '../../storage-node/main.ts')
const batches = 8
const lanes = 4
const pointsPerBatch = 300_000

const group = await MemoryGroup.create('holdfast-test', limitBytes)
const reason = typeof group === 'string' ? `: ${group}` : ''

async function start(measured: MemoryGroup, dataFolder: string): Promise<NodeProcess> {
  const environment = {
    HOLDFAST_DATA_DIR: dataFolder,
    HOLDFAST_LISTEN: '127.0.0.1:0',
    HOLDFAST_AUTH: 'off',
    HOLDFAST_MEMORY_LIMIT_BYTES: String(limitBytes),
  }
  const node = await startStorageNode([], environment, measured.within([process.execPath, program]))
  await untilReady(node.port)
  return node
}

/** Points of a day in no order; each has a time of its own, so that they can be counted. */
function body(batch: number): string {
  const lines: string[] = []
  for (let k = 0; k < pointsPerBatch; k++) {
    const number = (k * 65_537) % pointsPerBatch
    const timeNs = 1_700_000_000_000_000_000n + BigInt(number * batches + batch) * 36_000_000n
    lines.push(`cpu,host=h${number % 50} usage=${number}.5,free=${number}i ${timeNs}`)
  }
  return lines.join('\n')
}

async function counted(port: number): Promise<number> {
  const query = new URLSearchParams({ db: 'd', q: 'SELECT count(usage) FROM cpu' })
  const response = await fetch(`http://127.0.0.1:${port}/query?${query.toString()}`)
  const text = await response.text()
  expect(response.status, text).toBe(200)
  const answer = JSON.parse(text) as { results: { series?: { values: number[][] }[] }[] }
  const count = answer.results[0]?.series?.[0]?.values[0]?.[1]
  expect(count, text).toBeTypeOf('number')
  return count!
}

/** Each body until it is acknowledged: that the node asks to wait is fine. */
async function writeAll(port: number): Promise<void> {
  await Promise.all(Array.from({ length: lanes }, (_, lane) => writeLane(port, lane)))
}

async function writeLane(port: number, lane: number): Promise<void> {
  for (let batch = lane; batch < batches;) {
    const response = await fetch(`http://127.0.0.1:${port}/write?db=d`, { method: 'POST', body: body(batch) })
    const said = await response.text()
    if (response.status === 204) batch += lanes
    else {
      expect([429, 503], said).toContain(response.status)
      await sleep(200)
    }
  }
}

async function expectWriteKillRestart(measured: MemoryGroup, dataFolder: string): Promise<void> {
  const nodes: NodeProcess[] = []
  try {
    const first = await start(measured, dataFolder)
    nodes.push(first)
    await fetch(`http://127.0.0.1:${first.port}/query?q=CREATE+DATABASE+d`, { method: 'POST' })
    await writeAll(first.port)
    expect(await counted(first.port)).toBe(batches * pointsPerBatch)
    await first.kill()
    const second = await start(measured, dataFolder)
    nodes.push(second)
    expect(await counted(second.port)).toBe(batches * pointsPerBatch)
    expect(await measured.kills()).toBe(0)
  } finally {
    for (const node of nodes) await node.kill()
  }
}

describe.skipIf(typeof group === 'string')(`bounded memory${reason}`, () => {
  const measured = group as MemoryGroup
  afterAll(() => measured.remove())

  test('large bodies in random order of time, and a replay of them', async () => {
    await using data = await temporaryFolder()
    await expectWriteKillRestart(measured, data.path)
  })
})
