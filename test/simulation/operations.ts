import { AppError } from '../../common/errors.ts'
import type { Engine, WriteOutcome } from '../../storage-node/engine/engine.ts'
import { everyTimeNs } from '../../storage-node/engine/tombstones.ts'
import { parseLines } from '../../storage-node/line-protocol/parse.ts'
import type { DataKeys } from './data-keys.ts'
import type { LedgerRecord } from './ledger.ts'
import type { Deletion, Model, Point } from './model.ts'
import type { Random } from './random.ts'
import { checkPlace, places, seriesText } from './reading.ts'
import { databases, policies } from './rules.ts'
import type { FakeClock } from '../support/fake-clock.ts'

export interface World {
  readonly random: Random
  readonly clock: FakeClock
  readonly model: Model
  readonly dataKeys: DataKeys
  readonly measurements: readonly string[]
  /** Of few measurements that are often flushed there are soon many files to be compacted. */
  readonly flushChance: number
  /** A number that was never given before. */
  next(): number
  count(what: string): void
}

/** Something that a client does. */
export interface Action {
  /** For the trace. */
  readonly words: string
  /** What its log record does as soon as it is durable; null if it writes none. */
  readonly effect: ((submittedNs: bigint) => unknown) | null
  readonly run: (engine: Engine) => Promise<unknown>
  /** @throws Error if the answer is not true */
  readonly check?: (answer: unknown, record: LedgerRecord) => void
}

interface Operation {
  readonly weight: number
  readonly draw: (world: World) => Action
}

/** All that clients do. A new kind of log record is one more function here and one more effect in the model. */
const operations: readonly Operation[] = [
  { weight: 70, draw: write },
  { weight: 12, draw: read },
  { weight: 12, draw: flush },
  { weight: 4, draw: deletePoints },
  { weight: 1, draw: deleteDatabase },
  { weight: 1, draw: changeDataKey },
]

export const drawAction = (world: World): Action =>
  world.random.chance(world.flushChance) ? flush() : world.random.weighed(operations).draw(world)

const minuteNs = 60_000_000_000n
const usualFields = ['f 1.5', 'i 1i', 'u 1u', 's "', 'b true', 'g 2.5'] as const

function write(world: World): Action {
  const { random, model, clock } = world
  const databaseId = random.pick(databases).id
  const policy = random.chance(0.75) ? 'autogen' : random.pick(policies).name
  const count = random.chance(0.1) ? random.between(20, 60) : random.between(1, 6)
  const points = Array.from({ length: count }, () => drawPoint(world))
  const batch = parseLines(Buffer.from(points.map(lineOf).join('\n')), 'ns', clock.nowNs())
  return {
    words: `write ${count} to ${databaseId} ${policy}`,
    effect: (nowNs) => model.write(databaseId, policy, points, nowNs),
    run: (engine) => engine.write({ databaseId, retentionPolicy: policy, batch }),
    check: (answer, { position, effect: stored }) => {
      if (position === null) throw new Error('acknowledged before it was durable')
      const { accepted, problems } = answer as WriteOutcome
      const dropped = problems.reduce((sum, each) => sum + each.dropped, 0)
      if (accepted !== stored || accepted + dropped !== count)
        throw new Error(
          `${accepted} points accepted and ${dropped} dropped, expected ${String(stored)} of ${count}`,
        )
    },
  }
}

/** Mostly one of few series, fields and times, so that points meet again and again. */
function drawPoint(world: World): Point {
  const { random, clock } = world
  const host = random.chance(0.02) ? `new${world.next()}` : `h${random.below(5)}`
  const series = random.pick([`host=${host}`, `host=${host},zone=z${random.below(2)}`, ''])
  const nowMinute = clock.nowNs() / minuteNs
  const timeNs = (nowMinute - BigInt(random.below(random.chance(0.1) ? 300 : 40)) + 5n) * minuteNs
  const names = new Map<string, string>()
  for (let left = random.between(1, 3); left > 0; left--) {
    const [name, like] = random.pick(usualFields).split(' ') as [string, string]
    const isNew = random.chance(0.01)
    const type = random.chance(0.02) ? random.pick(usualFields).split(' ')[1]! : like
    names.set(isNew ? `n${world.next()}` : name, drawValue(random, type, world.next()))
  }
  return { measurement: random.pick(world.measurements), series, fields: [...names], timeNs }
}

function drawValue(random: Random, like: string, number: number): string {
  if (like === 'true') return String(random.chance(0.5))
  if (like.startsWith('"')) return `"${'long '.repeat(random.chance(0.02) ? 2000 : 0)}t${number}"`
  if (like.endsWith('i')) return `${number}i`
  return like.endsWith('u') ? `${number}u` : `${number}.5`
}

function lineOf({ measurement, series, fields, timeNs }: Point): string {
  const key = series === '' ? measurement : `${measurement},${series}`
  return `${key} ${fields.map(([name, text]) => `${name}=${text}`).join()} ${timeNs}`
}

function read({ random, model, clock }: World): Action {
  const place = random.pick(places)
  return {
    words: `read ${place.databaseId} ${place.retentionPolicy} ${place.measurement}`,
    effect: null,
    run: (engine) => checkPlace(engine, model, place, clock.nowNs()),
  }
}

function flush(): Action {
  return { words: 'flush', effect: null, run: (engine) => engine.flush() }
}

function deletePoints({ random, clock, model, measurements }: World): Action {
  const databaseId = random.pick(databases).id
  const measurement = random.chance(0.8) ? random.pick(measurements) : null
  const known = measurement === null ? undefined : model.database(databaseId)?.series.get(measurement)
  const chosen = known && random.chance(0.7) ? [...known].filter(() => random.chance(0.4)) : null
  const fromNs = clock.nowNs() - BigInt(random.below(60)) * minuteNs
  const deletion: Deletion = {
    databaseId,
    retentionPolicy: random.chance(0.3) ? random.pick(policies).name : null,
    measurement,
    series: chosen && new Set(chosen.map(([, number]) => number)),
    timesNs: random.chance(0.6) ? [fromNs, fromNs + BigInt(random.below(30)) * minuteNs] : null,
  }
  const [minTimeNs, maxTimeNs] = deletion.timesNs ?? [everyTimeNs.minTimeNs, everyTimeNs.maxTimeNs]
  const names = chosen && new Set(chosen.map(([name]) => name))
  const database = model.database(databaseId)
  const held = model.holds(deletion)
  const turns = random.below(30)
  return {
    words: `delete points of ${databaseId} ${deletion.retentionPolicy} ${measurement} ${chosen?.length}`,
    effect: () => model.deletePoints(deletion),
    run: async (engine) => {
      const generation = engine.generation(databaseId)
      const series =
        names && [...engine.series(databaseId, measurement!)].filter((each) => names.has(seriesText(each)))
      const seriesIds = series?.map(({ id }) => id) ?? null
      const { retentionPolicy } = deletion
      const of = { databaseId, generation, retentionPolicy, measurement, seriesIds }
      // As many series are looked for in turns, much may happen before it is known which they are.
      for (let turn = 0; turn < turns; turn++) await Promise.resolve()
      return engine.delete({ ...of, minTimeNs, maxTimeNs })
    },
    check: (_, { position }) => {
      if (!held || position !== null) return
      // The database or these series may have been deleted meanwhile.
      if (model.database(databaseId) === database && model.holds(deletion))
        throw new Error('nothing was deleted')
    },
  }
}

function deleteDatabase({ random, model }: World): Action {
  const { id } = random.pick(databases)
  const held = (model.database(id)?.seriesCount ?? 0) > 0
  return {
    words: `delete ${id}`,
    effect: () => model.deleteDatabase(id),
    run: (engine) => engine.deleteDatabase(id),
    check: (_, { position }) => {
      if (held && position === null) throw new Error(`${id} was not deleted`)
    },
  }
}

/** From then on processes are given the new key alone: whatever still needs another one does not open. */
function changeDataKey(world: World): Action {
  const number = world.next()
  const again = world.random.chance(0.5)
  return {
    words: `change the data key, ${number} ${again}`,
    effect: null,
    run: (engine) => world.dataKeys.change(number, again, (dataKey) => engine.useDataKey(dataKey)),
    check: (answer) => {
      if (answer === true) world.count('data key changed')
    },
  }
}

/** @returns whether a client may get this error from an engine whose disk is as it is */
export function isRefusal(error: unknown, isDiskFaulty: boolean): boolean {
  if (!(error instanceof AppError) || error.kind !== 'unavailable') return false
  return isDiskFaulty || error.code === 'ERR_BUFFER_FULL' || error.code === 'ERR_LOG_BUSY'
}
