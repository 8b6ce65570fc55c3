import { expect, test, vi } from 'vitest'
import { MemoryDisk } from '../../storage-node/disk/memory-disk.ts'
import { everyTimeNs } from '../../storage-node/engine/tombstones.ts'
import type { Shares } from '../../storage-node/engine/shares.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { dropped, kept, Life, type Truth } from './engine-life.ts'
import { stage } from '../support/parquet-stand-in.ts'

vi.mock('../../storage-node/query-process/client.ts', async (original) => ({
  ...(await original<object>()),
  ...(await import('../support/parquet-stand-in.ts')),
}))

vi.mock('../../storage-node/engine/shares.ts', async (original) => {
  const { shares } = await original<{ shares: (memoryLimitBytes: number) => Shares }>()
  return {
    shares: (memoryLimitBytes: number) => {
      const usual = shares(memoryLimitBytes)
      return {
        ...usual,
        flushBytes: stage.flushBytes ?? usual.flushBytes,
        refuseBytes: stage.flushBytes ?? usual.refuseBytes,
      }
    },
  }
})

/**
 * Promise: wherever a process is killed or loses its power, and wherever the disk fails or is full, the node starts
 * again and serves every acknowledged point, once, and nothing else; what it has served once stays.
 *
 * A short life of an engine is played. Before each step that changes the disk, what a kill and what a loss of power
 * would leave is put aside with what had been acknowledged by then; from each of these a new life begins.
 */

async function until(condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns++) {
    if (turns > 300) throw new Error('never came to be')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const flush = (life: Life) => life.engine.flush()

/** Deletes the points of a series in `autogen`, or the series with all its points. */
const deleteSeries = (life: Life, tag: '0' | '1', policy: 'autogen' | null) =>
  life.lose(
    (point) => {
      const [database, ofPolicy, number] = point.split(' ')
      return database === kept && Number(number) % 2 === Number(tag) && [null, ofPolicy].includes(policy)
    },
    () =>
      life.engine.delete({
        ...everyTimeNs,
        databaseId: kept,
        retentionPolicy: policy,
        measurement: 'm',
        generation: life.engine.generation(kept),
        seriesIds: [...life.engine.series(kept, 'm')]
          .filter(({ tags }) => tags.get('t') === tag)
          .map(({ id }) => id),
      }),
  )

/** All that changes a disk: writes, flushes, compactions, retention, deletes, the deletion of a database, the end. */
const script: readonly ((life: Life) => Promise<unknown>)[] = [
  (life) => life.write(kept, 'autogen', 1),
  (life) => life.write(dropped, 'autogen', 2),
  flush,
  (life) => life.write(kept, 'short', 3),
  (life) => Promise.all([4, 5, 6].map((number) => life.write(kept, 'autogen', number))),
  flush,
  ...[7, 8, 9, 10, 11, 12].flatMap((number) => [(life: Life) => life.write(kept, 'autogen', number), flush]),
  async (life) => {
    const before = life.engine.stats().files
    await life.clock.advance(5_000)
    await until(() => life.engine.stats().files < before || life.fatal.length > 0)
  },
  (life) => life.write(kept, 'autogen', 17),
  (life) => deleteSeries(life, '1', 'autogen'),
  (life) => life.write(kept, 'autogen', 19),
  async (life) => {
    await life.clock.advance(5_000)
    await until(() => life.engine.stats().tombstones === 0 || life.fatal.length > 0)
  },
  (life) => life.write(dropped, 'autogen', 13),
  (life) =>
    life.lose(
      (point) => point.includes(' short '),
      async () => {
        life.clock.jump(7_200_000)
        const { flushes } = life.engine.stats()
        await life.clock.advance(5_000)
        await until(() => life.engine.stats().flushes > flushes || life.fatal.length > 0)
      },
    ),
  (life) => life.write(kept, 'autogen', 14),
  (life) => deleteSeries(life, '0', null),
  (life) => life.write(kept, 'autogen', 16),
  (life) =>
    life.lose(
      (point) => point.startsWith(dropped),
      () => life.engine.deleteDatabase(dropped),
    ),
  (life) => life.write(dropped, 'autogen', 15),
  (life) => life.engine.close(),
]

interface Stop {
  readonly where: string
  readonly disk: MemoryDisk
  readonly clock: FakeClock
  readonly truth: Truth
}

/** Begins a new life where one was stopped; then power is lost, and nothing of what was served may be missing. */
async function liveOn({ where, disk, clock, truth }: Stop): Promise<void> {
  try {
    const life = await new Life(new MemoryDisk(disk), clock, truth).open()
    await life.check()
    await life.write(kept, 'autogen', 1_000)
    const served = await life.check()
    const left = new MemoryDisk(life.disk)
    left.powerLoss()
    await life.engine.close()
    const again = await new Life(left, clock, life).open()
    same(await again.check(), served)
    await again.engine.close()
    const last = await new Life(again.disk, clock, life).open()
    same(await last.check(), served)
    await last.engine.close()
  } catch (error) {
    throw new Error(`stopped ${where}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}

function same(points: readonly string[], before: readonly string[]): void {
  if (points.join() !== before.join())
    throw new Error(`served before: ${before.join()}; now: ${points.join()}`)
}

function clockAt(clock: FakeClock): FakeClock {
  const copy = new FakeClock()
  copy.jump(clock.nowMs() - copy.nowMs())
  return copy
}

function stopped(where: string, life: Life): Stop[] {
  const powerless = new MemoryDisk(life.disk)
  powerless.powerLoss()
  const rest = { clock: clockAt(life.clock), truth: { must: new Set(life.must), may: new Set(life.may) } }
  return [
    { where: `by a kill ${where}`, disk: new MemoryDisk(life.disk), ...rest },
    { where: `by a loss of power ${where}`, disk: powerless, ...rest },
  ]
}

/** Plays the script until it ends or the process does; what a failing disk refuses may be refused. */
async function playOn(life: Life): Promise<void> {
  try {
    await life.open()
  } catch {
    return
  }
  for (const play of script) {
    await play(life).catch(() => undefined)
    if (life.fatal.length > 0) return
  }
}

test('a stop before any step', async () => {
  const life = new Life(new MemoryDisk())
  const stops: Stop[] = []
  life.disk.onStep = (step, path) => {
    stops.push(...stopped(`before step ${stops.length / 2}, ${step} of ${path}`, life))
  }
  await life.open()
  for (const play of script) await play(life)
  stops.push(...stopped('at the end', life))
  expect(stops.length).toBeGreaterThan(300)
  for (const stop of stops) await liveOn(stop)
})

test('a stop before any step of a start that flushes while it replays', async () => {
  const before = await new Life(new MemoryDisk()).open()
  for (const play of script.slice(0, 6)) if (play !== flush) await play(before)
  let replayed = new MemoryDisk()
  before.disk.onStep = (step, path) => {
    // The deletion is in the log, and its flush begins.
    if (step === 'create' && path.includes('/tmp/')) replayed = new MemoryDisk(before.disk)
  }
  await before.lose(
    (point) => point.startsWith(dropped),
    () => before.engine.deleteDatabase(dropped),
  )
  const life = new Life(replayed, before.clock, before)
  const stops: Stop[] = []
  life.disk.onStep = (step, path) => {
    stops.push(...stopped(`before step ${stops.length / 2}, ${step} of ${path}`, life))
  }
  stage.flushBytes = 0
  try {
    await life.open()
    const { checkpoint, position } = life.engine.stats()
    expect([checkpoint, position]).toEqual([6, 7])
    for (const stop of stops) await liveOn(stop)
  } finally {
    stage.flushBytes = null
  }
  for (const stop of stops) await liveOn(stop)
})

const every = Number(process.env['HOLDFAST_EVERY_STEP'] ?? 2)
const first = Number(process.env['HOLDFAST_FIRST_STEP'] ?? Math.floor(Math.random() * every))

test.each(['ENOSPC', 'EIO'])(
  `%s at a step, then a stop: one step in ${every} from HOLDFAST_FIRST_STEP=${first} on`,
  async (code) => {
    for (let failing = first, reached = true; reached; failing += every) {
      const life = new Life(new MemoryDisk())
      let count = 0
      let where = ''
      life.disk.onStep = (step, path) => {
        if (count++ !== failing) return
        where = `after ${code} at step ${failing}, ${step} of ${path}`
        // A write that fails has written a part.
        if (step === 'write') life.disk.failNext('write', code)
        else throw Object.assign(new Error(code), { code })
      }
      await playOn(life)
      reached = where !== ''
      expect(reached || failing > 100).toBe(true)
      for (const stop of stopped(where, life)) await liveOn(stop)
    }
  },
)
