import { describe, expect, test, vi } from 'vitest'
import type { Shares } from '../../storage-node/engine/shares.ts'
import type { Log } from '../../storage-node/log/log.ts'
import { stage } from '../support/parquet-stand-in.ts'
import { Life } from './life.ts'

/**
 * Promise: what was acknowledged is there, once, with the newest value of each field; what was not is there as a whole
 * record or not at all; nothing else is. Whatever the disk does and wherever the process ends, again and again.
 *
 *     HOLDFAST_CRASH_POINTS=10000    how many ends of a process are played
 *     HOLDFAST_SEED=17               the life of this seed alone, with its whole trace if it fails
 *     HOLDFAST_STEP=33               that life, ended before this step first
 */
vi.mock('../../storage-node/query-process/client.ts', async (original) => ({
  ...(await original<object>()),
  ...(await import('../support/parquet-stand-in.ts')),
}))

vi.mock('../../storage-node/engine/shares.ts', async (original) => {
  const { shares } = await original<{ shares: (memoryLimitBytes: number) => Shares }>()
  return {
    shares: (memoryLimitBytes: number): Shares => {
      const flushBytes = stage.flushBytes!
      const refuseBytes = flushBytes * 3
      return { ...shares(memoryLimitBytes), flushBytes, refuseBytes, waitingBytes: flushBytes }
    },
  }
})

vi.mock('../../storage-node/log/log.ts', async (original) => {
  const { Log: Real } = await original<{ Log: typeof Log }>()
  const { tapped } = await import('./submission.ts')
  const open: typeof Log.open = async (options, checkpoint, apply) =>
    tapped(await Real.open({ ...options, segmentBytes: stage.segmentBytes! }, checkpoint, apply))
  return { Log: { open } }
})

const numberOf = (variable: string): number | null =>
  process.env[variable] === undefined ? null : Number(process.env[variable])

const crashPoints = numberOf('HOLDFAST_CRASH_POINTS') ?? 500
const onlySeed = numberOf('HOLDFAST_SEED')
const onlyStep = numberOf('HOLDFAST_STEP')
const crashesPerLife = 20
/** Few writers, many flushes: its files are compacted within these steps. */
const firstSeed = 1_000_036
const stepsPerLife = 250
const stride = crashPoints < 2 * stepsPerLife * 2 ? 2 : 1

/** @returns the life as it was at its end @throws Error with all that is needed to play it again */
async function play(seed: number, step: number | null, story: (life: Life) => Promise<void>): Promise<Life> {
  const life = new Life(seed)
  try {
    await story(life)
  } catch (error) {
    const variables = `HOLDFAST_SEED=${seed}${step === null ? '' : ` HOLDFAST_STEP=${step}`}`
    const shown = onlySeed === null ? life.trace.slice(-60) : life.trace
    const text = [
      `seed ${seed}, after ${life.crashes} ends: ${error instanceof Error ? error.message : String(error)}`,
      `again: ${variables} npx vitest run --project simulation`,
      ...shown,
    ]
    throw new Error(text.join('\n'), { cause: error })
  }
  return life
}

const longLife = (seed: number): Promise<Life> =>
  play(seed, null, async (life) => {
    while (life.crashes < crashesPerLife) {
      // A start takes some twenty steps: many processes end within theirs.
      const early = life.random.chance(0.3)
      await life.live(early ? life.random.between(1, 30) : life.random.between(30, 300))
    }
    await life.lastLook()
  })

const lifeEndedBefore = (seed: number, step: number): Promise<Life> =>
  play(seed, step, async (life) => {
    await life.live(step)
    await life.lastLook()
  })

class Report {
  readonly seen = new Map<string, number>()
  crashes = 0
  #steps = 0
  #lives = 0
  readonly #startedMs = performance.now()

  add(life: Life): void {
    this.#lives++
    this.crashes += life.crashes
    this.#steps += life.steps
    for (const [what, count] of life.seen) this.seen.set(what, (this.seen.get(what) ?? 0) + count)
  }

  print(): void {
    const seconds = (performance.now() - this.#startedMs) / 1000
    console.log(
      `${this.crashes} crash points in ${seconds.toFixed(1)} s, ${(this.crashes / seconds).toFixed(0)} a second: ` +
        `${this.#lives} lives, ${this.#steps} steps of the disk`,
      Object.fromEntries([...this.seen].sort(([a], [b]) => a.localeCompare(b))),
    )
  }
}

describe.runIf(onlySeed === null)('many seeds', () => {
  test('a seed has one trace', async () => {
    const [first, again, other] = [await longLife(1), await longLife(1), await longLife(2)]
    expect(again.digest()).toBe(first.digest())
    expect(other.digest()).not.toBe(first.digest())
  })

  test(`an end before one step in ${stride} of the disk`, async () => {
    const report = new Report()
    const wanted = crashPoints / 2
    for (let seed = firstSeed; report.crashes < wanted; seed++)
      for (let step = 1; step <= stepsPerLife && report.crashes < wanted; step += stride)
        report.add(await lifeEndedBefore(seed, step))
    report.print()
    expect(report.crashes).toBeGreaterThanOrEqual(wanted)
  })

  test('many ends in one life, also while it starts', async () => {
    const report = new Report()
    const wanted = crashPoints / 2
    for (let seed = 1; report.crashes < wanted; seed++) report.add(await longLife(seed))
    report.print()
    // What never came to pass has proved nothing.
    const all = ['kill', 'loss of power', 'ended by itself', 'closed', 'refused: ERR_DISK_FULL']
    const logged = ['torn tail of the log cut', 'orphaned file removed', 'files compacted']
    for (const what of [...all, ...logged, 'data key changed', 'records without an answer were there'])
      expect(report.seen.get(what), what).toBeGreaterThan(0)
  })
})

test.runIf(onlySeed !== null)('the seed that was asked for', async () => {
  const report = new Report()
  const [first, again] = [await one(), await one()]
  report.add(first)
  report.add(again)
  report.print()
  expect(again.digest()).toBe(first.digest())
})

const one = (): Promise<Life> =>
  onlyStep === null ? longLife(onlySeed!) : lifeEndedBefore(onlySeed!, onlyStep)
