import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startStorageNode, untilReady, type NodeProcess } from '../support/storage-node.ts'
import { temporaryFolder } from './engine-support.ts'

/**
 * Promise: a node that is killed under mixed load, again and again, has every acknowledged point, once, with its newest
 * values; queries beside see nothing else. The real process, the real disk, the real query process.
 */
const kills = Number(process.env['HOLDFAST_KILLS'] ?? 4)
const writerCount = 8
const maxLinesPerBatch = 200
/** Between batches: what 200 kills leave has to be counted in the end. */
const pauseMs = 20
const flags = ['--listen', '127.0.0.1:0', '--auth', 'off']
/** Buffers that are soon full are put into files often. */
const littleMemory = ['--memory-limit-bytes', String(64 * 1024 * 1024)]
/** An odd number: times in another order than the points are written in, each time once. */
const stride = 40_503n
const spanNs = 65_536n

interface Writer {
  readonly name: string
  /** Points with numbers below this are there for ever. */
  acknowledged: number
  /** Points with numbers from here on were never sent. */
  sent: number
}

interface Load {
  node: NodeProcess | null
  stopped: boolean
  queries: number
}

const writers = Array.from({ length: writerCount }, (_, index): Writer => ({
  name: `w${index}`,
  acknowledged: 0,
  sent: 0,
}))

/** In the order of time for some writers, all over the place for others. */
function timeOf(writer: Writer, number: number): bigint {
  const at = BigInt(number)
  const isScattered = writers.indexOf(writer) % 2 === 1
  const place = isScattered ? (at / spanNs) * spanNs + ((at * stride) % spanNs) : at
  return 1_700_000_000_000_000_000n + place * 1_000_000n
}

function linesOf(writer: Writer, from: number, end: number, valueOf: (number: number) => string): string {
  const lines: string[] = []
  for (let number = from; number < end; number++)
    lines.push(`m,writer=${writer.name},part=${number % 3} ${valueOf(number)} ${timeOf(writer, number)}`)
  return lines.join('\n')
}

/** @returns whether it was acknowledged */
async function send(node: NodeProcess, body: string): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${node.port}/write?db=load`, { method: 'POST', body })
    const text = await response.text()
    // A node may be short of room for a moment; anything else would be a refusal of valid points.
    expect([204, 503], text).toContain(response.status)
    return response.status === 204
  } catch (error) {
    if (error instanceof TypeError) return false
    throw error
  }
}

/** Writes batch after batch, each until it is acknowledged; some writers write each first with values that do not last. */
async function write(load: Load, writer: Writer): Promise<void> {
  const repeats = writers.indexOf(writer) % 4 < 2
  for (let batch = 0; !load.stopped; batch++) {
    const from = writer.acknowledged
    const end = from + 1 + ((batch * 397) % maxLinesPerBatch)
    writer.sent = end
    const bodies = [linesOf(writer, from, end, (number) => `a=${number}i,b="${number}"`)]
    if (repeats) bodies.unshift(linesOf(writer, from, end, () => 'a=-1i'))
    for (const body of bodies)
      while (!(load.node && (await send(load.node, body)))) {
        if (load.stopped && !load.node) return
        await sleep(10)
      }
    writer.acknowledged = end
    await sleep(pauseMs)
  }
}

async function ask(node: NodeProcess, q: string): Promise<readonly unknown[] | null> {
  const query = new URLSearchParams({ db: 'load', q, epoch: 'ns' })
  const response = await fetch(`http://127.0.0.1:${node.port}/query?${query.toString()}`, { method: 'POST' })
  const answer = (await response.json()) as {
    results: { error?: string; series?: { values: unknown[][] }[] }[]
  }
  expect(response.status).toBe(200)
  const [result] = answer.results
  expect(result?.error).toBeUndefined()
  return result?.series?.[0]?.values[0]?.slice(1) ?? null
}

/** Asks all the time how many points of a writer there are. */
async function query(load: Load): Promise<void> {
  for (let turn = 0; !load.stopped; turn++) {
    const writer = writers[turn % writerCount]!
    const { node } = load
    const before = writer.acknowledged
    const answer = node
      ? await ask(node, `SELECT count(a), max(a) FROM m WHERE writer = '${writer.name}'`).catch(
          (error: unknown) => {
            // The node was killed meanwhile.
            if (error instanceof TypeError || load.node !== node) return 'killed' as const
            throw error
          },
        )
      : 'killed'
    if (answer === 'killed') {
      await sleep(20)
      continue
    }
    const [count, max] = (answer ?? [0, -1]).map(Number) as [number, number]
    expect(count).toBeGreaterThanOrEqual(before)
    expect(count).toBeLessThanOrEqual(writer.sent)
    expect(max).toBeLessThan(writer.sent)
    load.queries++
  }
}

/** Lets the load go on over a node for a while, until something was acknowledged, and kills it; sometimes while it stops. */
async function liveAndDie(load: Load, data: string, round: number): Promise<void> {
  const node = await startStorageNode(['--data', data, ...flags, ...littleMemory])
  await untilReady(node.port)
  if (round === 0) await ask(node, 'CREATE DATABASE load')
  const before = total()
  load.node = node
  await sleep(50 + ((round * 137) % 900))
  while (total() === before) await sleep(10)
  load.node = null
  if (round % 4 === 3) {
    // What is in its buffers is on its way into files.
    void node.stop()
    await sleep((round * 29) % 400)
  }
  await node.kill()
}

const total = (): number => writers.reduce((sum, { acknowledged }) => sum + acknowledged, 0)

test(
  `${kills} kills of a node under ${writerCount} writers and queries: nothing lost, nothing twice`,
  { timeout: Math.max(120_000, kills * 15_000) },
  async () => {
    await using folder = await temporaryFolder()
    const data = join(folder.path, 'data')
    const startedMs = performance.now()
    const load: Load = { node: null, stopped: false, queries: 0 }
    const running = Promise.all([...writers.map((writer) => write(load, writer)), query(load)])
    const dying = (async () => {
      for (let round = 0; round < kills; round++) await liveAndDie(load, data, round)
    })()
    await Promise.race([dying, running])
    const node = await startStorageNode(['--data', data, ...flags])
    await untilReady(node.port)
    load.stopped = true
    load.node = node
    await running
    for (const { name, acknowledged, sent } of writers) {
      expect(sent).toBe(acknowledged)
      const where = `FROM m WHERE writer = '${name}'`
      const sum = (acknowledged * (acknowledged - 1)) / 2
      // Every number from 0 on, once: a lost or a doubled point, or an older value, breaks a count or the sum.
      const figures = await ask(node, `SELECT count(a), sum(a), max(a) ${where}`)
      expect(figures, name).toEqual([acknowledged, sum, acknowledged - 1])
      expect(await ask(node, `SELECT count(b) ${where}`), name).toEqual([acknowledged])
    }
    await node.stop()
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(0)
    console.log(
      `${kills} kills in ${seconds} s, ${total()} points and ${load.queries} queries: nothing lost, nothing twice`,
    )
  },
)
