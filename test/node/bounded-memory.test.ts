import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { ensureDuckdbExtension } from '../../scripts/duckdb-extension.ts'
import { temporaryFolder } from './engine-support.ts'

/**
 * Promise: a node with the memory of the chart's default takes bodies as large as they may be, in whatever order of
 * time, without ever being ended for want of memory: neither then, nor when it replays its log.
 */
const limitBytes = 512 * 1024 * 1024
const mount = '/sys/fs/cgroup/memory'
const folder = join(mount, `holdfast-test-${process.pid}`)
const program = join(import.meta.dirname, '../../storage-node/main.ts')
const batches = 8
const lanes = 4
const pointsPerBatch = 300_000

async function makeGroup(): Promise<string | null> {
  try {
    await access(join(mount, 'memory.limit_in_bytes'))
    await mkdir(folder)
    await writeFile(join(folder, 'memory.limit_in_bytes'), String(limitBytes))
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

async function startNode(dataFolder: string, port: number): Promise<ChildProcess> {
  const child = spawn(process.execPath, [program], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      HOLDFAST_DATA_DIR: dataFolder,
      HOLDFAST_LISTEN: `127.0.0.1:${port}`,
      HOLDFAST_AUTH: 'off',
      HOLDFAST_LOG_LEVEL: 'warn',
      HOLDFAST_MEMORY_LIMIT_BYTES: String(limitBytes),
      HOLDFAST_DUCKDB_EXTENSION: await ensureDuckdbExtension(),
    },
  })
  // Its query process is forked later and so is in the group too.
  await writeFile(join(folder, 'cgroup.procs'), String(child.pid))
  for (let attempt = 0; attempt < 300; attempt++) {
    if (child.exitCode !== null || child.signalCode !== null) break
    const ready = await fetch(`http://127.0.0.1:${port}/ready`).catch(() => null)
    if (ready?.ok) return child
    await sleep(100)
  }
  throw new Error(`the node is not ready: exit ${child.exitCode}, signal ${child.signalCode}`)
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill(signal)
  await gone
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

async function memoryKills(): Promise<number> {
  const text = await readFile(join(folder, 'memory.oom_control'), 'utf8')
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0)
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

/** The query process ends by itself when the node is gone; the group goes when it is empty. */
async function removeGroup(): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const members = await readFile(join(folder, 'cgroup.procs'), 'utf8')
    if (members.trim() === '') break
    await sleep(100)
  }
  await rmdir(folder)
}

async function expectWriteKillRestart(dataFolder: string): Promise<void> {
  const port = 20_000 + (process.pid % 10_000)
  const nodes: ChildProcess[] = []
  try {
    nodes.push(await startNode(dataFolder, port))
    await fetch(`http://127.0.0.1:${port}/query?q=CREATE+DATABASE+d`, { method: 'POST' })
    await writeAll(port)
    expect(await counted(port)).toBe(batches * pointsPerBatch)
    await end(nodes[0]!, 'SIGKILL')
    nodes.push(await startNode(dataFolder, port))
    expect(await counted(port)).toBe(batches * pointsPerBatch)
    expect(await memoryKills()).toBe(0)
  } finally {
    for (const node of nodes) await end(node, 'SIGKILL')
  }
}

const unavailable = await makeGroup()

describe.skipIf(unavailable !== null)(`bounded memory${unavailable ? `: ${unavailable}` : ''}`, () => {
  afterAll(removeGroup)

  test('large bodies in random order of time, and a replay of them', { timeout: 100_000 }, async () => {
    await using data = await temporaryFolder()
    await expectWriteKillRestart(data.path)
  })
})
