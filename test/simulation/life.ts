import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { createLogger } from '../../common/log.ts'
import { Engine } from '../../storage-node/engine/engine.ts'
import { stage } from '../support/parquet-stand-in.ts'
import { DataKeys } from './data-keys.ts'
import { Ledger } from './ledger.ts'
import { Model } from './model.ts'
import { drawAction, isRefusal, type Action, type World } from './operations.ts'
import { Random } from './random.ts'
import { checkCatalog, checkPlace, places } from './reading.ts'
import { databases, databaseStates, measurements } from './rules.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { SimulatedDisk } from './simulated-disk.ts'
import { Storage } from './storage.ts'
import { submitter } from './submission.ts'

/** How much is kept of the trace, to be shown with what went wrong. */
const shownLines = 5_000
const maxIdleTurns = 5_000
const startMs = Date.UTC(2026, 10, 22)

interface Era {
  readonly disk: SimulatedDisk
  /** The process ends before this step of the disk. */
  readonly crashStep: number
  fatal: Error | null
  /** A fault of the disk has been played. */
  isFaulty: boolean
  violation: unknown
}

/**
 * The life of one data folder under a seed: a process works on it, ends at any step of its disk, and another one opens
 * what is left.
 */
export class Life implements World {
  readonly random: Random
  readonly model = new Model(databases)
  readonly dataKeys = new DataKeys()
  readonly measurements: readonly string[]
  readonly flushChance: number
  readonly seen = new Map<string, number>()
  clock = new FakeClock(startMs)
  crashes = 0
  steps = 0
  readonly #storage = new Storage()
  readonly #hash = createHash('sha256')
  readonly #lastLines: string[] = []
  readonly #writers: number
  readonly #faultChance: number
  #numbers = 0
  /** What the process before left free on a disk that was full. */
  #roomBytes: number | null = null
  #era!: Era
  readonly #ledger = new Ledger()
  readonly #logger = createLogger('simulation', {
    destination: { write: (line) => this.count((JSON.parse(line) as { msg: string }).msg) },
  })

  constructor(seed: number) {
    this.random = new Random(seed)
    this.measurements = this.random.pick([measurements, measurements.slice(0, 1)])
    this.flushChance = this.random.pick([0, 0, 0.3])
    this.#writers = this.random.between(1, 8)
    this.#faultChance = this.random.pick([0, 0.001, 0.004])
    stage.flushBytes = this.random.pick([8_000, 30_000, 200_000])
    stage.segmentBytes = this.random.pick([1_000, 8_000, 1_000_000])
  }

  next(): number {
    return ++this.#numbers
  }

  get trace(): readonly string[] {
    return this.#lastLines
  }

  digest(): string {
    return this.#hash.copy().digest('hex')
  }

  /** A process opens what is there, works, and ends. @returns whether it ended before the step */
  async live(crashStep: number): Promise<boolean> {
    const engine = await this.#open(crashStep)
    if (engine) await this.#work(engine)
    return this.#end()
  }

  /** Opens what is left, with nothing in its way, and looks whether it is as before after each thing that a node does. */
  async lastLook(): Promise<void> {
    let engine = (await this.#open(Number.POSITIVE_INFINITY))!
    await this.#until(engine.flush())
    await this.#check(engine)
    // Time for retention and compaction.
    for (let rounds = 0; rounds < 4; rounds++) {
      this.#pass(6_000)
      for (let turns = 0; turns < 200; turns++) await this.#turn()
    }
    await this.#check(engine)
    await this.#until(this.dataKeys.change(this.next(), true, (dataKey) => engine.useDataKey(dataKey)))
    await this.#until(engine.close())
    this.count('closed')
    this.#end()
    engine = (await this.#open(Number.POSITIVE_INFINITY))!
    await this.#until(engine.close())
    const left = [...this.#storage.paths].filter((path) => path.includes('/tmp/'))
    const named = [...this.#storage.paths].filter((path) => path.endsWith('.parquet')).length
    if (left.length > 0 || named !== engine.stats().files)
      throw new Error(`${named} files for ${engine.stats().files}, and ${left.join()}`)
  }

  async #open(crashStep: number): Promise<Engine | null> {
    const { random } = this
    // Each process has a clock of its own; the wall clock goes on.
    this.clock = new FakeClock(this.clock.nowMs() + random.below(10_000))
    this.model.noteTime(this.clock.nowNs())
    const disk = new SimulatedDisk(this.#storage, random, (line) => this.#trace(line))
    const isLast = crashStep === Number.POSITIVE_INFINITY
    if (!isLast && random.chance(0.7)) disk.faults.roomBytes = this.#roomBytes
    const isFull = disk.faults.roomBytes !== null
    const era: Era = { disk, crashStep, fatal: null, isFaulty: isFull, violation: null }
    this.#era = era
    stage.disk = disk
    this.dataKeys.begin()
    this.#trace('open')
    try {
      const engine = await this.#until(this.#engine(era))
      if (!engine) return null
      engine.setDatabases(databaseStates)
      this.#recover(engine)
      return (await this.#check(engine)) ? engine : null
    } catch (error) {
      if (!era.isFaulty) throw error
      this.#trace(`does not open: ${String(error)}`)
      this.count('did not open')
      return null
    }
  }

  #engine(era: Era): Promise<Engine> {
    return Engine.open({
      disk: era.disk,
      clock: this.clock,
      log: this.#logger,
      organizationId: '0123456789abcdef',
      ...this.dataKeys.given,
      dataFolder: '/data',
      queryProcess: { program: 'none', extensionPath: 'none' },
      memoryLimitBytes: 64 * 1024 * 1024,
      onFatal: (error) => {
        era.fatal ??= error
      },
    })
  }

  #recover(engine: Engine): void {
    const { position, checkpoint } = engine.stats()
    this.#trace(`opened at ${position}, checkpoint ${checkpoint}`)
    const { damage } = engine
    if (damage.length > 0) throw new Error(`damage where there is none: ${JSON.stringify(damage)}`)
    this.#ledger.noteCheckpoint(checkpoint)
    if (this.#ledger.recover(position) > 0) this.count('records without an answer were there')
    this.model.noteTime(this.clock.nowNs())
  }

  /** @returns whether the process lived to see it */
  async #check(engine: Engine): Promise<boolean> {
    for (const place of places) {
      const done = await this.#until(
        checkPlace(engine, this.model, place, this.clock.nowNs()).then(() => true),
      )
      if (!done) return false
    }
    checkCatalog(engine, this.model, this.clock.nowNs())
    return true
  }

  /** Clients come and go until the process ends. */
  async #work(engine: Engine): Promise<void> {
    const { random } = this
    const running = new Set<Promise<void>>()
    const closesAt = random.chance(0.15) ? random.below(300) : Number.POSITIVE_INFINITY
    while (await this.#turn()) {
      const isClosing = this.#era.disk.steps >= closesAt
      if (isClosing && running.size === 0) {
        await this.#close(engine)
        return
      }
      if (!isClosing && running.size < this.#writers && random.chance(0.3)) {
        const client = this.#do(engine, drawAction(this)).finally(() => running.delete(client))
        running.add(client)
      }
      if (random.chance(0.02)) this.#pass(random.pick([100, 2_000, 6_000, 6_000]))
      if (random.chance(0.001)) this.#setClock()
      if (random.chance(this.#faultChance)) this.#fault()
      if (random.chance(0.01)) this.#era.disk.faults.roomBytes = null
    }
  }

  async #close(engine: Engine): Promise<void> {
    this.#trace('close')
    try {
      const isClosed = await this.#until(engine.close().then(() => true))
      if (isClosed) this.count('closed')
    } catch (error) {
      if (!isRefusal(error, this.#era.isFaulty)) throw error
    }
  }

  async #do(engine: Engine, action: Action): Promise<void> {
    const era = this.#era
    const fail = (error: unknown) => {
      era.violation ??= error
    }
    const record = this.#ledger.record(
      action,
      () => this.clock.nowNs(),
      () => era !== this.#era,
      fail,
    )
    this.#trace(`begin ${action.words}`)
    try {
      const answer = await submitter.run(record, () => action.run(engine))
      if (era !== this.#era) return
      this.#trace(`done ${action.words}, ${record.position}`)
      action.check?.(answer, record)
      if (record.position !== null && era.disk.unsynced.some((path) => path.endsWith('.log')))
        throw new Error('acknowledged after a sync of the log had failed')
      this.#ledger.noteCheckpoint(engine.stats().checkpoint)
    } catch (error) {
      if (era !== this.#era) return
      const code = error instanceof Error && 'code' in error ? String(error.code) : ''
      this.#trace(`refused ${action.words}, ${code}`)
      this.count(`refused: ${code}`)
      if (!isRefusal(error, era.isFaulty)) fail(error)
    }
  }

  /** @returns null if the process ended before */
  async #until<T>(work: Promise<T>): Promise<T | null> {
    let settled = false
    const settle = () => {
      settled = true
    }
    work.then(settle, settle)
    let idle = 0
    while (await this.#turn()) {
      if (settled) return work
      idle = this.#era.disk.isIdle ? idle + 1 : 0
      if (idle > maxIdleTurns) throw new Error('what was begun never ends')
    }
    return null
  }

  /** Something of what is under way happens. @returns whether the process is still there */
  async #turn(): Promise<boolean> {
    await setImmediate()
    const era = this.#era
    if (era.violation) throw era.violation
    if (era.fatal || era.disk.steps >= era.crashStep) return false
    if (this.random.chance(0.7)) era.disk.turn()
    return true
  }

  #end(): boolean {
    const { disk, fatal, crashStep } = this.#era
    const reached = disk.steps >= crashStep
    disk.kill()
    this.#roomBytes = disk.faults.roomBytes
    this.crashes++
    this.steps += disk.steps
    const losesPower = this.random.chance(0.6)
    if (losesPower) this.#storage.losePower(this.random)
    this.count(losesPower ? 'loss of power' : 'kill')
    if (fatal) this.count('ended by itself')
    this.#trace(`end at ${disk.steps}${losesPower ? ' without power' : ''} ${fatal?.message ?? ''}`)
    return reached
  }

  #pass(ms: number): void {
    this.#trace(`time passes: ${ms}`)
    this.model.noteTime(this.clock.nowNs() + BigInt(ms) * 1_000_000n)
    this.clock.pass(ms)
  }

  #setClock(): void {
    const ms = this.random.pick([-7_200_000, -60_000, 60_000, 1_800_000, 3_000_000])
    this.#trace(`the clock is set: ${ms}`)
    this.clock.step(ms)
    this.model.noteTime(this.clock.nowNs())
  }

  #fault(): void {
    const { faults } = this.#era.disk
    this.#era.isFaulty = true
    if (this.random.chance(0.7)) faults.roomBytes = this.random.below(this.random.pick([1, 3_000, 60_000]))
    else faults.failSync = true
    this.#trace(`room: ${faults.roomBytes}, a sync will fail: ${faults.failSync}`)
  }

  count(what: string): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + 1)
  }

  #trace(line: string): void {
    this.#hash.update(`${line}\n`)
    this.#lastLines.push(line)
    if (this.#lastLines.length > shownLines) this.#lastLines.shift()
  }
}
