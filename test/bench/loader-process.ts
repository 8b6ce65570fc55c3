import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { Pool } from 'undici'
import { devopsBatches } from './devops.ts'
import type { Bodies, LoadAnswer, LoadOrder, LoadResult } from './loader.ts'

const kept = new Map<string, readonly Buffer[]>()
const retryMs = 100
const refusedLimitMs = 30_000

function bodiesOf(wanted: Bodies): readonly Buffer[] {
  const key = JSON.stringify(wanted)
  const found = kept.get(key)
  if (found) return found
  const { gzip, ...options } = wanted
  const made = gzip
    ? bodiesOf({ ...options, gzip: false }).map((body) => gzipSync(body, { level: 6 }))
    : devopsBatches(options)
  kept.set(key, made)
  return made
}

async function write(order: Extract<LoadOrder, { kind: 'write' }>): Promise<LoadResult> {
  const all = bodiesOf(order.bodies)
  const bodies = order.slice === null ? all : all.slice(...order.slice)
  const url = new URL(order.url)
  const pool = new Pool(url.origin, { connections: order.writers, pipelining: 1, bodyTimeout: 120_000 })
  const headers = { ...order.headers, ...(order.bodies.gzip ? { 'content-encoding': 'gzip' } : {}) }
  const latenciesMs: number[] = []
  let refusals = 0
  let next = 0
  const cpu = process.cpuUsage()
  const startedMs = performance.now()
  const send = async (body: Buffer): Promise<void> => {
    const deadlineMs = performance.now() + refusedLimitMs
    for (;;) {
      const answer = await pool.request({ method: 'POST', path: url.pathname + url.search, headers, body })
      const text = await answer.body.text()
      if (answer.statusCode < 300) return
      const again = [429, 503].includes(answer.statusCode) && performance.now() < deadlineMs
      if (!again) throw new Error(`write: ${answer.statusCode} ${text.slice(0, 500)}`)
      refusals++
      await sleep(retryMs)
    }
  }
  const writer = async (): Promise<void> => {
    for (let index = next++; index < bodies.length; index = next++) {
      const dueMs = order.paceMs === null ? performance.now() : startedMs + index * order.paceMs
      if (performance.now() < dueMs) await sleep(dueMs - performance.now())
      await send(bodies[index]!)
      latenciesMs.push(performance.now() - dueMs)
    }
  }
  try {
    await Promise.all(Array.from({ length: order.writers }, writer))
  } finally {
    await pool.destroy()
  }
  const elapsedMs = performance.now() - startedMs
  const { user, system } = process.cpuUsage(cpu)
  const rows = Math.min(order.bodies.rows, bodies.length * order.bodies.linesPerBatch)
  return { rows, elapsedMs, latenciesMs, refusals, loaderCpuSeconds: (user + system) / 1e6 }
}

const nothing: LoadResult = { rows: 0, elapsedMs: 0, latenciesMs: [], refusals: 0, loaderCpuSeconds: 0 }

async function obey(order: LoadOrder): Promise<LoadResult> {
  if (order.kind === 'write') return write(order)
  if (order.kind === 'prepare') bodiesOf(order.bodies)
  else kept.clear()
  return nothing
}

process.on('message', (order: LoadOrder) => {
  const answer = (given: LoadAnswer) => process.send?.(given)
  obey(order).then(
    (result) => answer({ result }),
    (error: unknown) => answer({ error: error instanceof Error ? error.message : String(error) }),
  )
})
