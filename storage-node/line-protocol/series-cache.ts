import { randomInt } from 'node:crypto'
import type { BatchSeries } from './batch.ts'
import type { TableBuilder, TableShape } from './table-builder.ts'
import { sameBytes, textOf, type Text } from './text.ts'

/** A measurement as bodies name it, and the table of the batch in hand. */
export interface KnownMeasurement {
  readonly name: string
  /** Of the batch in hand. */
  table: TableBuilder | null
  /** Of the table before; set by `remember`. */
  shape: TableShape | null
}

/** A series key as bodies spell it. */
export interface SeriesEntry extends BatchSeries {
  /** Where the key, as written, stands in the cache. */
  readonly from: number
  readonly length: number
  /** Newlines in the key: escaped ones are part of it. */
  readonly newlines: number
  readonly hash: number
  /** null: the series is well-formed but not storable, `rejection` says why. */
  readonly measurement: KnownMeasurement | null
  readonly rejection: string
  /** Index into the series of the table of the batch `batch`. */
  index: number
  batch: number
  /** The series that came after this one the last time: bodies repeat their order. */
  next: SeriesEntry | null
}

/** Tenants choose keys, so the hash starts from a number that they cannot know. */
const seed = randomInt(2 ** 31)
const firstSlots = 256
const firstBytes = 65_536
/** What the keys, as written, may take, for each series that may be remembered. */
const bytesPerSeries = 256
/**
 * Series keys, found by their bytes. They are remembered from one body to the next, since agents send the same series
 * again and again; when it is full, it begins anew.
 */
export class SeriesCache {
  readonly #maxSeries: number
  /** Hash table: 0, or 1 more than the place of an entry. */
  #slots = new Uint32Array(firstSlots)
  #entries: SeriesEntry[] = []
  #measurements = new Map<string, KnownMeasurement>()
  #keys: Text = textOf(Buffer.alloc(firstBytes))
  #usedBytes = 0
  /** In all shapes. */
  #columns = 0

  /** @param maxSeries how many are remembered */
  constructor(maxSeries: number) {
    this.#maxSeries = maxSeries
  }

  /** Makes room before a batch, so that no entry goes while the batch is parsed. */
  makeRoom(): void {
    if (this.#isBeyond(this.#maxSeries)) this.#clear()
  }

  /** Whether the batch in hand has brought so much that it should end, so that there can be room again. */
  get isOverfull(): boolean {
    return this.#isBeyond(2 * this.#maxSeries)
  }

  #isBeyond(series: number): boolean {
    return (
      Math.max(this.#entries.length, this.#measurements.size) >= series ||
      this.#usedBytes >= series * bytesPerSeries
    )
  }

  hash(body: Uint8Array, from: number, end: number): number {
    let value = seed
    for (let at = from; at < end; at++) value = Math.imul(value ^ body[at]!, 16777619)
    return (value ^ (value >>> 15)) >>> 0
  }

  find(body: Text, from: number, end: number, hash: number): SeriesEntry | null {
    const mask = this.#slots.length - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const place = this.#slots[slot]!
      if (place === 0) return null
      const entry = this.#entries[place - 1]!
      if (entry.hash === hash && entry.length === end - from && this.matches(entry, body, from)) return entry
    }
  }

  /** Whether the body holds the entry's key at `from`; the body does not end before. */
  matches(entry: SeriesEntry, body: Text, from: number): boolean {
    return sameBytes(this.#keys.view, entry.from, body.view, from, entry.length)
  }

  measurement(name: string): KnownMeasurement {
    let known = this.#measurements.get(name)
    if (!known) {
      known = { name, table: null, shape: null }
      this.#measurements.set(name, known)
    }
    return known
  }

  /** Keeps what a table was like, as long as there are no more columns of all tables than there may be series. */
  remember(measurement: KnownMeasurement, shape: TableShape | null): void {
    const others = this.#columns - (measurement.shape?.columns.length ?? 0)
    const added = shape?.columns.length ?? 0
    const fits = others + added <= this.#maxSeries
    measurement.shape = fits ? shape : null
    this.#columns = fits ? others + added : others
  }

  /** @param body holds the key from `from` to `end` */
  add(
    body: Buffer,
    from: number,
    end: number,
    entry: Pick<SeriesEntry, 'key' | 'hash' | 'measurement' | 'rejection'>,
  ): SeriesEntry {
    const place = this.#usedBytes
    const length = end - from
    const added: SeriesEntry = {
      key: entry.key,
      hash: entry.hash,
      measurement: entry.measurement,
      rejection: entry.rejection,
      from: place,
      length,
      newlines: newlinesIn(body, from, end),
      index: 0,
      batch: 0,
      next: null,
    }
    this.#reserve(place + length)
    body.copy(this.#keys.bytes, place, from, end)
    this.#usedBytes += length
    const count = this.#entries.push(added)
    if (count * 2 <= this.#slots.length) this.#place(added, count)
    else {
      this.#slots = new Uint32Array(this.#slots.length * 2)
      for (const [index, each] of this.#entries.entries()) this.#place(each, index + 1)
    }
    return added
  }

  #clear(): void {
    // What was needed once is needed again when it is full so soon.
    this.#slots.fill(0)
    this.#entries = []
    this.#measurements = new Map()
    this.#usedBytes = 0
    this.#columns = 0
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#keys.bytes.length) return
    const grown = Buffer.alloc(Math.max(bytes, this.#keys.bytes.length * 2))
    grown.set(this.#keys.bytes)
    this.#keys = textOf(grown)
  }

  #place(entry: SeriesEntry, count: number): void {
    const mask = this.#slots.length - 1
    let slot = entry.hash & mask
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
    this.#slots[slot] = count
  }
}

function newlinesIn(bytes: Uint8Array, from: number, end: number): number {
  let count = 0
  for (let at = from; at < end; at++) if (bytes[at] === 10) count++
  return count
}
