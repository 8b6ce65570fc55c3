import { expect, test, vi } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { MemoryDisk } from '../../storage-node/disk/memory-disk.ts'
import { Engine } from '../../storage-node/engine/engine.ts'
import { everyTimeNs } from '../../storage-node/engine/tombstones.ts'
import { parseLines } from '../../storage-node/line-protocol/parse.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { databaseId, databaseState, readAll } from './engine-support.ts'
import { stage } from '../support/parquet-stand-in.ts'

vi.mock('../../storage-node/query-process/client.ts', async (original) => ({
  ...(await original<object>()),
  ...(await import('../support/parquet-stand-in.ts')),
}))

/**
 * Promise: a delete takes away exactly the points that were written before it and that it names, and the series of
 * which it leaves nothing, whatever flushes, compactions, kills and other deletes come before, meanwhile and after.
 *
 * Random lives are compared with a map, HOLDFAST_DELETE_LIVES of them.
 */

const lives = Number(process.env['HOLDFAST_DELETE_LIVES'] ?? 12)
const stepsPerLife = 120
const measurements = ['m', 'n']
const policies = ['autogen', 'other']
const tags = ['a', 'b', 'c', 'd']

interface Point {
  readonly policy: string
  readonly measurement: string
  readonly tag: string
  readonly timeNs: bigint
  readonly value: number
}

class Run {
  readonly clock = new FakeClock()
  readonly #model = new Map<string, Point>()
  readonly #series = new Set<string>()
  readonly #random: (below: number) => number
  #disk = new MemoryDisk()
  #engine!: Engine
  #value = 0

  constructor(random: (below: number) => number) {
    this.#random = random
  }

  async open(): Promise<void> {
    stage.disk = this.#disk
    this.#engine = await Engine.open({
      disk: this.#disk,
      clock: this.clock,
      log: silentLogger,
      organizationId: '0123456789abcdef',
      dataKey: new Uint8Array(32).fill(1),
      dataFolder: '/data',
      queryProcess: { program: 'none', extensionPath: 'none' },
      memoryLimitBytes: 512 * 1024 * 1024,
      onFatal: (error) => {
        throw error
      },
    })
    this.#engine.setDatabases([databaseState()])
  }

  async step(): Promise<string> {
    const steps = [
      () => this.#write(),
      () => this.#write(),
      () => this.#write(),
      () => this.#write(),
      () => this.#flush(),
      () => this.#flush(),
      () => this.#delete(),
      () => this.#delete(),
      () => this.#flushAndDelete(),
      () => this.#compact(),
      () => this.#compactAndDelete(),
      () => this.#restart(),
    ]
    return steps[this.#random(steps.length)]!()
  }

  async #write(): Promise<string> {
    const policy = this.#pick(policies)
    const points = Array.from({ length: 1 + this.#random(12) }, () => ({
      policy,
      measurement: this.#pick(measurements),
      tag: this.#pick(tags),
      timeNs: BigInt(this.#random(30)),
      value: ++this.#value,
    }))
    const lines = points.map(
      ({ measurement, tag, timeNs, value }) => `${measurement},t=${tag} v=${value} ${timeNs}`,
    )
    await this.#engine.write({
      databaseId,
      retentionPolicy: policy,
      batch: parseLines(Buffer.from(lines.join('\n')), 'ns', 0n),
    })
    for (const point of points) {
      this.#model.set(`${policy} ${point.measurement} ${point.tag} ${point.timeNs}`, point)
      this.#series.add(`${point.measurement} ${point.tag}`)
    }
    return `write ${policy}: ${lines.join(' | ')}`
  }

  async #flush(): Promise<string> {
    await this.#engine.flush()
    return 'flush'
  }

  async #delete(): Promise<string> {
    const policy = this.#random(3) > 0 ? null : this.#pick(policies)
    const measurement = this.#random(4) > 0 ? this.#pick(measurements) : null
    const some = this.#random(3) > 0 ? tags.filter(() => this.#random(2) > 0) : null
    const from = BigInt(this.#random(30))
    const times =
      this.#random(3) > 0 ? { minTimeNs: from, maxTimeNs: from + BigInt(this.#random(10)) } : everyTimeNs
    const ids = measurements
      .filter((each) => measurement === null || each === measurement)
      .flatMap((each) => [...this.#engine.series(databaseId, each)])
      .filter((series) => some?.includes(series.tags.get('t')!))
      .map(({ id }) => id)
    const { minTimeNs, maxTimeNs } = times
    await this.#engine.delete({
      databaseId,
      retentionPolicy: policy,
      measurement,
      seriesIds: some && ids,
      generation: this.#engine.generation(databaseId),
      minTimeNs,
      maxTimeNs,
    })
    const isNamed = (ofMeasurement: string, tag: string) =>
      (measurement === null || measurement === ofMeasurement) && (some === null || some.includes(tag))
    for (const [key, point] of this.#model) {
      const inTime = point.timeNs >= minTimeNs && point.timeNs <= maxTimeNs
      if (inTime && isNamed(point.measurement, point.tag) && [null, point.policy].includes(policy))
        this.#model.delete(key)
    }
    if (times === everyTimeNs && policy === null) {
      for (const series of this.#series) {
        const [ofMeasurement, tag] = series.split(' ')
        if (isNamed(ofMeasurement!, tag!)) this.#series.delete(series)
      }
    }
    return `delete ${policy} ${measurement} ${some?.join()} ${minTimeNs} ${maxTimeNs}`
  }

  async #flushAndDelete(): Promise<string> {
    // The points are looked at while the flush is under way, too.
    void this.#engine.flush()
    await this.#turns(this.#random(4))
    return `flush meanwhile ${await this.#delete()}`
  }

  async #compact(): Promise<string> {
    await this.clock.advance(5_000)
    await this.#turns(40)
    return 'compact'
  }

  async #compactAndDelete(): Promise<string> {
    await this.clock.advance(5_000)
    await this.#turns()
    return `compact meanwhile ${await this.#delete()}`
  }

  /** As after a loss of power: the engine that was goes on with a disk that nobody sees. */
  async #restart(): Promise<string> {
    const disk = new MemoryDisk(this.#disk)
    disk.powerLoss()
    await this.#engine.close()
    this.#disk = disk
    await this.open()
    return 'restart'
  }

  async #turns(count = this.#random(12)): Promise<void> {
    for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
  }

  /** Series and points, sorted, as they should be. */
  owed(): string[] {
    const points = [...this.#model.values()].map(
      ({ policy, measurement, tag, timeNs, value }) =>
        `${policy} ${measurement} {t=${tag}} ${timeNs} v=${value}`,
    )
    return [...this.#series, ...points].sort()
  }

  /** The same as the engine has it. */
  async served(): Promise<string[]> {
    const found: string[] = []
    for (const measurement of measurements) {
      for (const series of this.#engine.series(databaseId, measurement))
        found.push(`${measurement} ${series.tags.get('t')}`)
      for (const policy of policies) {
        const points = await readAll(this.#engine, { measurement, retentionPolicy: policy })
        found.push(...points.map((point) => `${policy} ${measurement} ${point}`))
      }
    }
    return found.sort()
  }

  /** @returns how many tombstones are left when all files have been compacted */
  async settle(): Promise<number> {
    await this.#engine.flush()
    for (let round = 0; round < 20 && this.#engine.stats().tombstones > 0; round++) await this.#compact()
    return this.#engine.stats().tombstones
  }

  async close(): Promise<void> {
    await this.#engine.close()
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#random(list.length)]!
  }
}

test.each(Array.from({ length: lives }, (_, index) => index + 1))('life %i', async (first) => {
  let seed = first * 7919
  const run = new Run((below) => (seed = (seed * 48_271) % 2_147_483_647) % below)
  await run.open()
  const story: string[] = []
  for (let step = 0; step < stepsPerLife; step++) {
    story.push(await run.step())
    expect(await run.served(), story.slice(-25).join('\n')).toEqual(run.owed())
  }
  expect(await run.settle()).toBe(0)
  expect(await run.served()).toEqual(run.owed())
  await run.close()
})
