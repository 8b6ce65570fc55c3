import { floorDivide, formatTime } from '../time.ts'
import type { Zone } from '../zone.ts'

/** Unit of times in the answer; null writes RFC 3339 with nanoseconds. */
export type Epoch = 'ns' | 'u' | 'ms' | 's' | 'm' | 'h' | null

const unitNs: Readonly<Record<Exclude<Epoch, null>, bigint>> = {
  ns: 1n,
  u: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
}

/** A time in whole units, towards the epoch. */
export function inUnits(ns: bigint, epoch: Exclude<Epoch, null>): bigint {
  return ns / unitNs[epoch]
}

const secondNs = 1_000_000_000
const dayNs = 86_400n * BigInt(secondNs)
const two = Array.from({ length: 60 }, (_, n) => String(n).padStart(2, '0'))

/** Times as text, one after another: of neighbours most is the same. */
export class TimeText {
  #ns = 0n
  #zone: Zone | null = null
  #text = ''
  #dayStartNs = 0n
  /** With the letter that follows the date; empty before the first. */
  #date = ''

  /** RFC 3339 with up to nine digits of a second, in a zone; null for UTC. */
  of(ns: bigint, zone: Zone | null): string {
    if (this.#text !== '' && ns === this.#ns && zone === this.#zone) return this.#text
    this.#ns = ns
    this.#zone = zone
    this.#text = zone === null ? this.#utc(ns) : formatTime(ns, zone.offsetNs(ns))
    return this.#text
  }

  #utc(ns: bigint): string {
    if (this.#date === '' || ns < this.#dayStartNs || ns >= this.#dayStartNs + dayNs) {
      const text = formatTime(ns)
      this.#dayStartNs = floorDivide(ns, dayNs) * dayNs
      this.#date = text.slice(0, text.indexOf('T') + 1)
      return text
    }
    const intoDay = Number(ns - this.#dayStartNs)
    const seconds = Math.floor(intoDay / secondNs)
    const nanos = intoDay - seconds * secondNs
    const minutes = Math.floor(seconds / 60)
    const clock = `${two[Math.floor(minutes / 60)]}:${two[minutes % 60]}:${two[seconds % 60]}`
    const fraction = nanos === 0 ? '' : `.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`
    return `${this.#date}${clock}${fraction}Z`
  }
}
