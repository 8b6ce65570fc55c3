import type { Cluster } from './cluster.ts'
import { endState } from './end-state.ts'
import { Line, type Call, type Fault, type Race } from './faulty-client.ts'
import { OperatorProcess } from './operator-process.ts'
import type { Scenario } from './scenarios.ts'

/** How a scenario went without faults: what every other way is measured by. */
export interface Reference {
  readonly state: readonly string[]
  readonly calls: readonly Call[]
  /** How often each thing was changed, by effect. */
  readonly effects: ReadonlyMap<string, number>
  /** Lines that its watches delivered. */
  readonly lines: number
}

export interface Outcome {
  readonly effects: ReadonlyMap<string, number>
  readonly tookMs: number
}

const tickMs = 1_000
const longTickMs = 20_000
const quietMs = 12_000
/** To be where it should be is not enough: it has to stay there. */
const staysTicks = 3
/** Nothing is stuck for longer, be it after a fault. */
export const limitMs = 60_000

export async function playQuietly(scenario: Scenario): Promise<Reference> {
  const cluster = scenario.from.fork()
  const line = new Line(cluster, () => null)
  let lines = 0
  cluster.kube.world.deliver = (event) => {
    lines += 1
    return [event]
  }
  const operator = new OperatorProcess(cluster, line)
  operator.start()
  await scenario.act(cluster)
  const restMs = quietMs + (scenario.waitsMs ?? 0)
  for (let quiet = 0, passed = 0; quiet < restMs; passed += tickMs) {
    if (passed > 2 * limitMs) throw new Error(`${scenario.name}: never comes to rest`)
    quiet = (await tick(cluster)) ? 0 : quiet + tickMs
  }
  const { calls } = line
  if (line.effects.length === 0)
    throw new Error(`${scenario.name}: nothing was done, so nothing can be disturbed`)
  await operator.end()
  return { state: endState(cluster), calls: [...calls], effects: counted(line.effects), lines }
}

/**
 * Plays a scenario with a fault, restarting a process that ended, until it is where the reference came to.
 * @throws Error naming what differs when that is not so in time
 */
export async function play(
  scenario: Scenario,
  reference: Reference,
  fault: {
    readonly at?: (call: Call, index: number) => Fault | Race | null
    /** Faults of watches, set before the operator starts. */
    readonly prepare?: (cluster: Cluster) => void
    readonly limitMs?: number | undefined
  },
): Promise<Outcome> {
  const cluster = scenario.from.fork()
  fault.prepare?.(cluster)
  const lines = [new Line(cluster, fault.at ?? (() => null))]
  let operator = new OperatorProcess(cluster, lines[0]!)
  operator.start()
  await scenario.act(cluster)
  const usualMs = limitMs + (scenario.waitsMs ?? 0)
  const limit = (fault.limitMs ?? limitMs) + (scenario.waitsMs ?? 0)
  let stepMs = tickMs
  for (let passed = 0, stays = 0; ;) {
    if (operator.line.isDead) {
      await operator.end()
      lines.push(new Line(cluster, () => null))
      operator = new OperatorProcess(cluster, lines.at(-1)!)
      operator.start()
    }
    const isMoving = await tick(cluster, stepMs)
    passed += stepMs
    const isRight = !isMoving && !operator.line.isDead && isSame(endState(cluster), reference.state)
    stays = isRight ? stays + 1 : 0
    // What only a full list mends takes minutes, in which nothing happens.
    stepMs = passed < usualMs || isMoving ? tickMs : longTickMs
    const isThere = stays === staysTicks
    if (isThere || passed > limit) {
      const difference = isThere ? null : differenceOf(endState(cluster), reference.state)
      await operator.end()
      if (difference !== null) throw new Error(`after ${passed / 1_000} s: ${difference}`)
      return { effects: counted(lines.flatMap(({ effects }) => effects)), tookMs: passed }
    }
  }
}

/** @returns whether anything changed */
async function tick(cluster: Cluster, passMs = tickMs): Promise<boolean> {
  const { world } = cluster.kube
  const before = world.version
  await cluster.tick()
  await cluster.clock.advance(passMs)
  return world.version !== before
}

/**
 * What was created, replaced, deleted or said more often than without the fault, as text; "" for nothing.
 * @param statuses how many more statuses an object may be told on its way
 */
export function excess(outcome: Outcome, reference: Reference, statuses = 0): string {
  const over = [...outcome.effects].filter(([effect, count]) => {
    const allowed = effect.startsWith('status ') ? statuses : 0
    return (
      /^(create|delete|replace|status) /.test(effect) &&
      count > (reference.effects.get(effect) ?? 0) + allowed
    )
  })
  return over
    .map(([effect, count]) => `${effect}: ${count}, not ${reference.effects.get(effect) ?? 0}`)
    .join('; ')
}

function counted(effects: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const effect of effects) counts.set(effect, (counts.get(effect) ?? 0) + 1)
  return counts
}

const isSame = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((line, index) => line === b[index])

function differenceOf(found: readonly string[], wanted: readonly string[]): string {
  const missing = wanted.filter((line) => !found.includes(line))
  const extra = found.filter((line) => !wanted.includes(line))
  return `missing ${missing.join('\n   ')}\n found instead ${extra.join('\n   ')}`
}
