import { ChainKey, sealPurpose, segmentLines, type FoundLine } from './audit-chain.ts'
import type { AuditOpener } from './audit-key.ts'

/** What is wrong with lines of a stream. */
export interface Finding {
  /** null where a damaged line no longer says whose it is. */
  readonly stream: string | null
  /** `seq` of the first and the last line that it is about. */
  readonly from: number
  readonly to: number
  readonly what: 'altered' | 'missing' | 'repeated' | 'out of order'
  /** Where in the input; null for what is not there. */
  readonly at: string | null
}

/** What opens headers. */
export type Opener = Pick<AuditOpener, 'keyId' | 'open'>

interface Segment {
  /** `seq` of its header. */
  readonly start: number
  /** `seq` of the line that `key` is of. */
  at: number
  key: ChainKey
}

interface Range {
  readonly from: number
  readonly to: number
}

/** The verifying end of one stream: takes its lines as they come, from the first header on. */
export class AuditStream {
  readonly #stream: string
  readonly #opener: Opener
  readonly #found: Finding[] = []
  readonly #wrong = new Set<number>()
  /** For anchors, which may come before or behind the lines that they name. */
  readonly #macs = new Map<number, string>()
  #gaps: readonly Range[] = []
  /** Lines that came before any header. */
  #early: { readonly seq: number; readonly at: string }[] = []
  #segment: Segment | null = null
  /** What the next line must be, once there was a header. */
  #next = 0
  /** The key that a header is sealed to, where it is not the one given. */
  otherKeyId: string | null = null
  /** Good lines, headers among them. */
  lines = 0
  /** Lines that no header opens: before the first one, where a log was cut, or behind one that is missing. */
  unchecked = 0
  /** `seq` of the first header. */
  first = 0
  /** What the last good line says, for people; "" if there is none. */
  lastBody = ''

  constructor(stream: string, opener: Opener) {
    this.#stream = stream
    this.#opener = opener
  }

  /** Whether a header was opened. */
  get isOpen(): boolean {
    return this.#segment !== null
  }

  /** `seq` of the line behind the last one. */
  get end(): number {
    return this.#next
  }

  /** @returns whether it is what was written, where it was written */
  add(line: FoundLine, at: string): boolean {
    return line.seq === line.header ? this.#addHeader(line, at) : this.#addLine(line, at)
  }

  /** Whether a line is another than somebody saw; one that is not here, or was not checked, is none. */
  isOther(seq: number, mac: string): boolean {
    const known = this.#macs.get(seq)
    return known !== undefined && known !== flat(mac)
  }

  /** In the order of `seq`. */
  findings(): readonly Finding[] {
    const missing = this.#gaps.flatMap((gap) => without(gap, this.#wrong))
    return [
      ...this.#found,
      ...missing.map((gap): Finding => ({ stream: this.#stream, ...gap, what: 'missing', at: null })),
    ].sort((a, b) => a.from - b.from)
  }

  #addHeader(line: FoundLine, at: string): boolean {
    const opened = this.#open(line)
    if (this.#isLate(line, at)) {
      // What comes behind it is still to be checked.
      if (typeof opened === 'object' && line.seq > this.#segment!.start) this.#segment = opened
      return false
    }
    if (opened === 'other key' && !this.isOpen) return false
    if (typeof opened !== 'object') return this.#isWrong(line.seq, 'altered', at)
    if (!this.isOpen) this.#begin(line.seq)
    this.#segment = opened
    return this.#accept(line)
  }

  #addLine(line: FoundLine, at: string): boolean {
    const segment = this.#segment
    if (segment === null) {
      this.unchecked += 1
      this.#early.push({ seq: line.seq, at })
      return false
    }
    if (this.#isLate(line, at)) return false
    if (line.header !== segment.start) {
      if (!this.#isHeaderMissing(line)) return this.#isWrong(line.seq, 'altered', at)
      this.unchecked += 1
      this.#advanceTo(line.seq)
      return false
    }
    const key = line.seq - segment.start < segmentLines ? keyAt(segment, line.seq) : null
    if (key?.mac(bytesOf(line.body)) !== line.mac) return this.#isWrong(line.seq, 'altered', at)
    key.advance()
    this.#segment = { start: segment.start, at: line.seq + 1, key }
    return this.#accept(line)
  }

  /** A log that was cut has only lines of smaller numbers before its first header. */
  #begin(first: number): void {
    this.first = this.#next = first
    for (const { seq, at } of this.#early) if (seq >= first) this.#isWrong(seq, 'out of order', at)
    this.#early = []
  }

  /** The segment that a header begins, if it is genuine and fits behind the line before it. */
  #open({ seq, body, mac, stream }: FoundLine): Segment | 'other key' | 'altered' {
    const found = /^(.*,"key":"([0-9a-f]{16})","sealed":"([\w+/=]+)"),"link":(?:"([0-9a-f]{64})"|null)$/.exec(
      body,
    )
    if (!found) return 'altered'
    const [, linked, keyId, sealed, link] = found
    if (keyId !== this.#opener.keyId) {
      if (!this.isOpen) this.otherKeyId = keyId!
      return 'other key'
    }
    const seed = this.#opener.open(sealPurpose(stream, seq), Buffer.from(sealed!, 'base64'))
    if (!seed) return 'altered'
    const key = new ChainKey(seed)
    if (key.mac(bytesOf(body)) !== mac) return 'altered'
    // Behind a hole nobody knows which key its link is of; the hole is found anyhow.
    const before = this.#segment
    if (before?.at === seq && before.key.mac(bytesOf(linked!)) !== link) return 'altered'
    key.advance()
    return { start: seq, at: seq + 1, key }
  }

  #isLate({ seq, mac }: FoundLine, at: string): boolean {
    if (!this.isOpen || seq >= this.#next) return false
    const isMissed = this.#isMissing(seq)
    if (isMissed) this.#gaps = this.#gaps.flatMap((gap) => without(gap, new Set([seq])))
    this.#note(seq, isMissed ? 'out of order' : this.isOther(seq, mac) ? 'altered' : 'repeated', at)
    return true
  }

  #isHeaderMissing({ seq, header }: FoundLine): boolean {
    return header > this.#segment!.start && header < seq && (header >= this.#next || this.#isMissing(header))
  }

  #isMissing(seq: number): boolean {
    return this.#gaps.some(({ from, to }) => from <= seq && seq <= to)
  }

  /** It stands for the line of its number, which is then not missing as well. */
  #isWrong(seq: number, what: Finding['what'], at: string): false {
    this.#wrong.add(seq)
    this.#note(seq, what, at)
    return false
  }

  #note(seq: number, what: Finding['what'], at: string): void {
    this.#found.push({ stream: this.#stream, from: seq, to: seq, what, at })
  }

  #accept({ seq, body, mac }: FoundLine): true {
    this.#advanceTo(seq)
    this.lines += 1
    this.lastBody = body
    this.#macs.set(seq, flat(mac))
    return true
  }

  #advanceTo(seq: number): void {
    if (seq > this.#next) this.#gaps = [...this.#gaps, { from: this.#next, to: seq - 1 }]
    this.#next = seq + 1
  }
}

function keyAt({ at, key }: Segment, seq: number): ChainKey {
  if (at === seq) return key
  const ahead = key.copy()
  for (let passed = at; passed < seq; passed += 1) ahead.advance()
  return ahead
}

/** What is left of a range without some of its numbers. */
function without({ from, to }: Range, numbers: ReadonlySet<number>): readonly Range[] {
  const inside = [...numbers].filter((number) => from <= number && number <= to).sort((a, b) => a - b)
  const starts = [from, ...inside.map((number) => number + 1)]
  const ends = [...inside.map((number) => number - 1), to]
  return starts
    .map((start, index) => ({ from: start, to: ends[index]! }))
    .filter((range) => range.from <= range.to)
}

/** Text of a log holds each byte as one character, so that no two contents look the same. */
const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1')

/** Half the length, and not a part of the line that would keep all of it in memory. */
const flat = (mac: string): string => Buffer.from(mac, 'hex').toString('latin1')
