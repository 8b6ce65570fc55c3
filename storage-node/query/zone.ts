import { floorDivide } from './time.ts'

/** Offsets change on quarter hours only. */
const quarterNs = 900_000_000_000n
const maxCached = 20_000

/** A time zone of the IANA database. */
export class Zone {
  readonly name: string
  readonly #format: Intl.DateTimeFormat
  readonly #offsets = new Map<bigint, bigint>()

  private constructor(name: string, format: Intl.DateTimeFormat) {
    this.name = name
    this.#format = format
  }

  /** @returns null when there is no such zone */
  static find(name: string): Zone | null {
    if (!/^[A-Za-z]/.test(name)) return null
    try {
      return new Zone(name, formatOf(name === 'Local' ? 'UTC' : name))
    } catch {
      return null
    }
  }

  /** How far local clocks are ahead of UTC at `ns`, in nanoseconds. */
  offsetNs(ns: bigint): bigint {
    const quarter = floorDivide(ns, quarterNs)
    const known = this.#offsets.get(quarter)
    if (known !== undefined) return known
    const offset = this.#compute(Number(quarter) * 900_000)
    if (this.#offsets.size >= maxCached) this.#offsets.clear()
    this.#offsets.set(quarter, offset)
    return offset
  }

  /** The instant at which local clocks show `localNs`; of two, the one that Go's time.Date gives. */
  instantOf(localNs: bigint): bigint {
    const offset = this.offsetNs(localNs)
    if (offset === 0n) return localNs
    return localNs - this.offsetNs(localNs - offset)
  }

  #compute(ms: number): bigint {
    const parts = new Map(this.#format.formatToParts(ms).map((part) => [part.type, Number(part.value)]))
    const at = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0
    const local = Date.UTC(at('year'), at('month') - 1, at('day'), at('hour'), at('minute'), at('second'))
    return BigInt(local - ms) * 1_000_000n
  }
}

function formatOf(name: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-US', {
    timeZone: name,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
}
