import { silentLogger } from '../../common/log.ts'
import type { DatabaseState } from '../../common/state-document.ts'
import type { MemoryDisk } from '../../storage-node/disk/memory-disk.ts'
import { Engine } from '../../storage-node/engine/engine.ts'
import { parseLines } from '../../storage-node/line-protocol/parse.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { stage } from '../support/parquet-stand-in.ts'

export const kept = '00000000000000aa'
export const dropped = '00000000000000bb'
const hourNs = 3_600_000_000_000n

function database(id: string): DatabaseState {
  const policy = (name: string, durationNs: bigint) => ({
    name,
    durationNs: String(durationNs),
    shardDurationNs: String(hourNs),
  })
  return {
    id,
    name: id,
    retentionPolicies: [policy('autogen', 0n), policy('short', hourNs)],
    defaultRetentionPolicy: 'autogen',
    limits: { series: null, fieldsPerMeasurement: 1000 },
  }
}

/** Points as `<database> <policy> <number>`: those that must be there, and those that may be. */
export interface Truth {
  readonly must: ReadonlySet<string>
  readonly may: ReadonlySet<string>
}

const policies = ['autogen', 'short']

/** An engine's life on a disk, with what it owes those who were told something. */
export class Life {
  readonly disk: MemoryDisk
  readonly clock: FakeClock
  readonly must: Set<string>
  readonly may: Set<string>
  readonly fatal: Error[] = []
  /** The one in force first. */
  dataKeys: readonly Uint8Array[] = [new Uint8Array(32).fill(1)]
  #engine: Engine | null = null

  readonly #folder: string

  constructor(
    disk: MemoryDisk,
    clock = new FakeClock(),
    truth: Truth = { must: new Set(), may: new Set() },
    folder = '/data',
  ) {
    this.#folder = folder
    this.disk = disk
    this.clock = clock
    this.must = new Set(truth.must)
    this.may = new Set(truth.may)
  }

  get engine(): Engine {
    return this.#engine!
  }

  async open(): Promise<this> {
    const { disk, clock } = this
    const [dataKey, ...olderDataKeys] = this.dataKeys
    stage.disk = disk
    this.#engine = await Engine.open({
      disk,
      clock,
      log: silentLogger,
      organizationId: '0123456789abcdef',
      dataKey: dataKey!,
      olderDataKeys,
      dataFolder: this.#folder,
      queryProcess: { program: 'none', extensionPath: 'none' },
      memoryLimitBytes: 512 * 1024 * 1024,
      onFatal: (error) => {
        this.fatal.push(error)
        // The process ends at once: it does nothing to the disk any more.
        disk.onStep = () => {
          throw error
        }
      },
    })
    this.engine.setDatabases([database(kept), database(dropped)])
    return this
  }

  async write(databaseId: string, retentionPolicy: string, number: number): Promise<void> {
    const point = `${databaseId} ${retentionPolicy} ${number}`
    const timeNs = this.clock.nowNs() + BigInt(number)
    const batch = parseLines(Buffer.from(`m,t=${number % 2} v=${number} ${timeNs}`), 'ns', 0n)
    this.may.add(point)
    try {
      await this.engine.write({ databaseId, retentionPolicy, batch })
    } catch (error) {
      // A write that is refused because there is no room was not done.
      if (error instanceof Error && 'code' in error && error.code === 'ERR_DISK_FULL') this.may.delete(point)
      throw error
    }
    this.must.add(point)
  }

  /** From here on these points need not be there; when `gone` resolves they must not. */
  async lose(isLost: (point: string) => boolean, gone: () => Promise<void>): Promise<void> {
    const lost = [...this.may].filter(isLost)
    for (const point of lost) this.must.delete(point)
    await gone()
    for (const point of lost) this.may.delete(point)
  }

  async points(): Promise<string[]> {
    const points: string[] = []
    for (const databaseId of [kept, dropped]) {
      const seriesIds = [...this.engine.series(databaseId, 'm')].map(({ id }) => id)
      for (const retentionPolicy of policies) {
        const blocks = this.engine.read({
          databaseId,
          retentionPolicy,
          measurement: 'm',
          seriesIds,
          fields: ['v'],
          minTimeNs: -(2n ** 63n),
          maxTimeNs: 2n ** 63n - 1n,
          signal: new AbortController().signal,
        })
        for await (const { columns } of blocks)
          for (const value of columns[0]?.values ?? [])
            points.push(`${databaseId} ${retentionPolicy} ${value}`)
      }
    }
    return points.sort()
  }

  /**
   * @returns what is served
   * @throws Error if it is not what is owed
   */
  async check(): Promise<string[]> {
    const points = await this.points()
    const served = new Set(points)
    const faults = {
      lost: [...this.must].filter((point) => !served.has(point)),
      'not to be there': points.filter((point) => !this.may.has(point)),
      twice: points.filter((point, index) => points.indexOf(point) !== index),
    }
    for (const [fault, those] of Object.entries(faults))
      if (those.length > 0) throw new Error(`${fault}: ${those.join(', ')}`)
    return points
  }
}
