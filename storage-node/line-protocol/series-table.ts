import { randomInt } from 'node:crypto'
import type { TableBuilder } from './table-builder.ts'

/** Where points of one series key go. `rawStart` and `rawEnd` find the key, as written, in the body. */
export interface SeriesEntry {
  readonly rawStart: number
  readonly rawEnd: number
  readonly hash: number
  /** null: the series is well-formed but not storable, `rejection` says why. */
  readonly table: TableBuilder | null
  readonly rejection: string
  /** Index into the table's series. */
  readonly series: number
  /** The series that came after this one the last time: bodies repeat their order. */
  next: SeriesEntry | null
}

/** Tenants choose keys, so the hash starts from a number that they cannot know. */
const seed = randomInt(2 ** 31)

/** The distinct series keys of one body, found by their bytes. */
export class SeriesTable {
  readonly #body: Uint8Array
  #slots: (SeriesEntry | null)[] = Array.from({ length: 256 }, () => null)
  #count = 0

  constructor(body: Uint8Array) {
    this.#body = body
  }

  hash(from: number, end: number): number {
    const body = this.#body
    let value = seed
    for (let at = from; at < end; at++) value = Math.imul(value ^ body[at]!, 16777619)
    return (value ^ (value >>> 15)) >>> 0
  }

  find(from: number, end: number, hash: number): SeriesEntry | null {
    const mask = this.#slots.length - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot] ?? null
      if (!entry) return null
      if (entry.hash === hash && entry.rawEnd - entry.rawStart === end - from && this.matches(entry, from))
        return entry
    }
  }

  /** Whether the body holds the entry's key at `from`. */
  matches(entry: SeriesEntry, from: number): boolean {
    const body = this.#body
    let at = from
    for (let raw = entry.rawStart; raw < entry.rawEnd; raw++, at++) if (body[raw] !== body[at]) return false
    return true
  }

  add(entry: SeriesEntry): void {
    if (++this.#count * 2 > this.#slots.length) {
      const old = this.#slots
      this.#slots = Array.from({ length: old.length * 2 }, () => null)
      for (const each of old) if (each) this.#place(each)
    }
    this.#place(entry)
  }

  #place(entry: SeriesEntry): void {
    const mask = this.#slots.length - 1
    let slot = entry.hash & mask
    while (this.#slots[slot]) slot = (slot + 1) & mask
    this.#slots[slot] = entry
  }
}
