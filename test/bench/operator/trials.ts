import { setTimeout as sleep } from 'node:timers/promises'
import { countRequests, type RequestCounts } from './audit.ts'
import { edit, untilQuiet, type Created, type Stage } from './story.ts'
import { vitalsOf, type Vitals } from './vitals.ts'

/** Edits of one organization after the other. */
export interface Edited {
  readonly latenciesMs: readonly number[]
  readonly requests: RequestCounts
}

export interface Restarted {
  /** From the start of the process: until it leads and its caches are full, and until every node was asked. */
  readonly leadsMs: number
  readonly verifiedMs: number
  /** Of edits that were made meanwhile, from when it led. */
  readonly latenciesMs: readonly number[]
  readonly requests: RequestCounts
  readonly vitals: Vitals
}

export interface Waited {
  readonly seconds: number
  readonly requests: RequestCounts
  readonly cpuSeconds: number
  readonly vitals: Vitals
}

const verifiedLimitMs = 600_000
/** Some more edits than the backlog lasts would say nothing of it. */
const editsMeanwhile = 100
const editEveryMs = 50

/** @param count edits, each of another organization as long as there are enough */
export async function editOnes(stage: Stage, { tenants }: Created, count: number): Promise<Edited> {
  const latenciesMs: number[] = []
  await untilQuiet(stage)
  for (let index = 0; index < count; index += 1) {
    latenciesMs.push(await edit(stage, tenants[(index * 7) % tenants.length]!))
    await sleep(editEveryMs)
  }
  return { latenciesMs, requests: countRequests(await untilQuiet(stage)) }
}

/**
 * Ends the operator and starts it again.
 * @param isEdited whether organizations are edited while it works off what it found at its start
 */
export async function restart(stage: Stage, { tenants }: Created, isEdited: boolean): Promise<Restarted> {
  const { operator, pods, audit, say } = stage
  await operator.stop()
  await audit.next()
  await pods.order({ kind: 'mark' })
  const startMs = Date.now()
  await operator.start()
  const leadsMs = Date.now() - startMs
  const editing: Promise<number>[] = []
  let asked = await pods.order({ kind: 'asked' })
  while (asked.nodes < tenants.length) {
    if (Date.now() - startMs > verifiedLimitMs) throw new Error(`${asked.nodes} nodes were asked`)
    if (isEdited && editing.length < Math.min(editsMeanwhile, tenants.length))
      // Of those that come late in the backlog as well as of those that come early.
      editing.push(edit(stage, tenants[(editing.length * 617) % tenants.length]!))
    await sleep(editEveryMs)
    asked = await pods.order({ kind: 'asked' })
  }
  const latenciesMs = await Promise.all(editing)
  const vitals = await vitalsOf(operator)
  say(
    `${tenants.length} verified ${asked.lastMs - startMs} ms after the start, ${editing.length} edits meanwhile`,
  )
  return {
    leadsMs,
    verifiedMs: asked.lastMs - startMs,
    latenciesMs,
    requests: countRequests(await untilQuiet(stage)),
    vitals,
  }
}

/** Nothing happens but what is under way. */
export async function wait(stage: Stage, seconds: number): Promise<Waited> {
  const { operator, audit } = stage
  await audit.next()
  const before = await vitalsOf(operator)
  await sleep(seconds * 1_000)
  const vitals = await vitalsOf(operator)
  const requests = countRequests(await audit.next())
  return { seconds, requests, vitals, cpuSeconds: vitals.cpuSeconds - before.cpuSeconds }
}

/** What one in a hundred tenants whose pod ends again and again does to the others. */
export async function crashing(stage: Stage, created: Created, count: number) {
  const { pods } = stage
  const crashed = Math.max(1, Math.round(created.tenants.length / 100))
  await pods.order({ kind: 'crash', count: crashed })
  try {
    const waited = await wait(stage, 60)
    const latenciesMs: number[] = []
    for (let index = 0; index < count; index += 1) {
      latenciesMs.push(await edit(stage, created.tenants[(index * 7) % created.tenants.length]!))
      await sleep(editEveryMs)
    }
    return { crashed, waited, latenciesMs }
  } finally {
    await pods.order({ kind: 'mend' })
  }
}
