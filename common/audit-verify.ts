import { findLine } from './audit-chain.ts'
import { auditAnchorSchema, type AuditAnchor } from './audit-line.ts'
import { AuditStream, type Finding, type Opener } from './audit-stream.ts'

export type { Finding }

/** What is known of one stream. */
export interface StreamVerdict {
  readonly stream: string
  /** Good ones, headers among them. */
  readonly lines: number
  readonly first: number
  readonly last: number
  readonly program: string
  /** RFC 3339, of the last good one. */
  readonly until: string
  /** Lines that no header opens. */
  readonly unchecked: number
}

export interface Verdict {
  readonly findings: readonly Finding[]
  readonly streams: readonly StreamVerdict[]
  /** What could not be verified at all, for people. */
  readonly unproved: readonly string[]
}

/**
 * Verifies audit streams in whatever they were mixed into: lines of several streams, in the order in which each was written,
 * between lines of other logs. Verifying a stream begins at its first header. What was cut off behind the last line is
 * found where an anchor, in another stream, names a later one.
 */
export class AuditVerifier {
  readonly #opener: Opener
  readonly #streams = new Map<string, AuditStream>()
  readonly #anchors: AuditAnchor[] = []
  readonly #damaged: Finding[] = []

  constructor(opener: Opener) {
    this.#opener = opener
  }

  /**
   * @param text one line without its line feed, each byte as one character (`latin1`)
   * @param at where it stands, for people
   */
  add(text: string, at: string): void {
    const line = findLine(text)
    if (line === null) return
    if (line === 'damaged') {
      this.#damaged.push({ stream: null, from: 0, to: 0, what: 'altered', at })
      return
    }
    if (!this.#of(line.stream).add(line, at) || !line.body.includes('"anchor":{')) return
    this.#anchors.push(auditAnchorSchema.parse(contentOf(line.body)).anchor)
  }

  verdict(): Verdict {
    const all = [...this.#streams]
    const open = all.filter(([, stream]) => stream.isOpen)
    const streams = open.map(([name, stream]): StreamVerdict => {
      const { program, time: until } = contentOf(stream.lastBody) as { program: string; time: string }
      const { lines, first, unchecked } = stream
      return { stream: name, lines, first, last: stream.end - 1, program, until, unchecked }
    })
    return {
      findings: [
        ...all.flatMap(([, stream]) => stream.findings()),
        ...this.#againstAnchors(),
        ...this.#damaged,
      ],
      streams,
      unproved: [
        ...all
          .filter(([, stream]) => !stream.isOpen || stream.otherKeyId !== null)
          .map(([name, stream]) => this.#whyClosed(name, stream)),
        ...this.#absent(),
      ],
    }
  }

  #of(name: string): AuditStream {
    const known = this.#streams.get(name)
    if (known) return known
    // A part of a line would keep all of it in memory.
    const made = new AuditStream(Buffer.from(name).toString(), this.#opener)
    this.#streams.set(name, made)
    return made
  }

  #whyClosed(name: string, { otherKeyId, unchecked }: AuditStream): string {
    if (otherKeyId === null) return `stream ${name}: no header opens its ${unchecked} lines`
    return `stream ${name}: sealed to key ${otherKeyId}, the key given is ${this.#opener.keyId}`
  }

  #againstAnchors(): readonly Finding[] {
    const cut = new Map<string, Finding>()
    const other: Finding[] = []
    for (const { stream: name, seq, mac } of this.#anchors) {
      const stream = this.#streams.get(name)
      if (!stream?.isOpen) continue
      if (stream.isOther(seq, mac))
        other.push({ stream: name, from: seq, to: seq, what: 'altered', at: null })
      if (seq >= Math.max(stream.end, cut.get(name)?.to ?? 0))
        cut.set(name, { stream: name, from: stream.end, to: seq, what: 'missing', at: null })
    }
    return [...other, ...cut.values()]
  }

  #absent(): readonly string[] {
    const names = this.#anchors.map(({ stream }) => stream).filter((name) => !this.#streams.has(name))
    return [...new Set(names)].map((name) => `stream ${name}: an anchor names it, and it is not here`)
  }
}

/** @param body of a line that was verified */
const contentOf = (body: string): unknown => JSON.parse(Buffer.from(`${body}}`, 'latin1').toString('utf8'))
