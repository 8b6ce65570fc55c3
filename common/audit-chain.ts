import { hash, randomBytes } from 'node:crypto'
import { auditKeyId, sealToAuditKey } from './audit-key.ts'

/**
 * The lines of an audit stream, in `docs/reference/audit.md` field by field.
 *
 * Each line carries an HMAC by a key that is replaced after it by its hash, so that a process which is taken over holds
 * no key of a line that it wrote before: those cannot be altered any more, and one that is missing leaves a hole in `seq`.
 * A header begins a segment with a fresh key, sealed to a public key: whoever has the private one verifies from any
 * header on, also where the log before it was rotated away. A header also carries an HMAC by the key of the segment
 * before it: the public key alone does not make a segment that fits behind another.
 */
const keyBytes = 32
const label = Buffer.from('holdfast audit next')

/** Lines of a segment, its header among them. */
export const segmentLines = 4_096
/** What a segment may last; the next line after that begins another. */
export const segmentMs = 3_600_000

/** The block of SHA-256, to which HMAC fills a key up. */
const blockBytes = 64

/** Outside of V8's heap, where a collection would leave copies behind: it holds what has 64 bytes or fewer in it. */
const keyRoom = (bytes: number): Buffer => Buffer.from(new ArrayBuffer(bytes + blockBytes), 0, bytes)

/** The key of one line, and the way to that of the next. There is no way back. */
export class ChainKey {
  readonly #bytes = keyRoom(label.length + keyBytes)
  readonly #key = this.#bytes.subarray(label.length)
  readonly #outer = keyRoom(2 * blockBytes).subarray(0, blockBytes + keyBytes)
  #inner = keyRoom(1_024)

  /** @param seed 32 bytes, which are zeroed */
  constructor(seed: Uint8Array) {
    this.#bytes.set(label)
    this.#take(seed)
  }

  /**
   * HMAC-SHA256 (RFC 2104), hex. By hand: one of Node's keeps a copy of the key until it is collected, which is long
   * after the line, and takes seven times as long.
   */
  mac(content: Uint8Array): string {
    const length = blockBytes + content.length
    if (this.#inner.length < length) this.#inner = keyRoom(2 * length)
    this.#pad(this.#inner, 0x36)
    this.#inner.set(content, blockBytes)
    this.#pad(this.#outer, 0x5c)
    this.#outer.set(hash('sha256', this.#inner.subarray(0, length), 'buffer'), blockBytes)
    const mac = hash('sha256', this.#outer, 'hex')
    this.#inner.fill(0, 0, blockBytes)
    this.#outer.fill(0)
    return mac
  }

  advance(): void {
    this.#take(hash('sha256', this.#bytes, 'buffer'))
  }

  clear(): void {
    this.#key.fill(0)
  }

  /** For whoever verifies: to look ahead. */
  copy(): ChainKey {
    return new ChainKey(Buffer.from(this.#key))
  }

  #pad(block: Buffer, by: number): void {
    for (let index = 0; index < blockBytes; index += 1) block[index] = (this.#key[index] ?? 0) ^ by
  }

  #take(bytes: Uint8Array): void {
    this.#key.set(bytes)
    bytes.fill(0)
  }
}

export interface AuditOrigin {
  /** Of the one life of one process: 16 hex digits. */
  readonly stream: string
  readonly program: string
  /** null where a program serves all of them. */
  readonly organizationId: string | null
}

/** What a sealed key is bound to. */
export const sealPurpose = (stream: string, seq: number): string => `holdfast audit 1/${stream}/${seq}`

/** The writing end of a stream: pure but for the random keys. */
export class AuditChain {
  readonly #publicKey: Uint8Array
  readonly #random: (bytes: number) => Buffer
  readonly #stream: string
  readonly #origin: string
  #key: ChainKey | null = null
  #seq = 0
  #header = 0
  #headerAtMs = 0

  constructor(
    { stream, ...origin }: AuditOrigin,
    publicKey: Uint8Array,
    random: (bytes: number) => Buffer = randomBytes,
  ) {
    this.#publicKey = publicKey
    this.#random = random
    this.#stream = stream
    this.#origin = membersOf(origin)
  }

  /**
   * One line, and before it a header where one is due; each ends with a line feed.
   * @param content members of the line, beside those that every line has
   * @param monotonicMs by which a segment's length is measured
   */
  line(content: object, nowMs: number, monotonicMs: number): string {
    const isDue = this.#seq - this.#header >= segmentLines || monotonicMs - this.#headerAtMs >= segmentMs
    const header = this.#key === null || isDue ? this.header(nowMs, monotonicMs) : ''
    return header + this.#signed(`${this.#start(nowMs)},${membersOf(content)}`)
  }

  /** Begins a segment. */
  header(nowMs: number, monotonicMs: number): string {
    const seed = this.#random(keyBytes)
    const sealed = sealToAuditKey(this.#publicKey, sealPurpose(this.#stream, this.#seq), seed)
    this.#header = this.#seq
    this.#headerAtMs = monotonicMs
    const content = { key: auditKeyId(this.#publicKey), sealed: sealed.toString('base64') }
    const body = `${this.#start(nowMs)},${membersOf(content)}`
    const link = this.#key?.mac(Buffer.from(body)) ?? null
    this.#key?.clear()
    this.#key = new ChainKey(seed)
    return this.#signed(`${body},${membersOf({ link })}`)
  }

  #start(nowMs: number): string {
    const time = new Date(nowMs).toISOString()
    return `{"audit":1,"stream":"${this.#stream}","seq":${this.#seq},"header":${this.#header},"time":"${time}",${this.#origin}`
  }

  #signed(body: string): string {
    const mac = this.#key!.mac(Buffer.from(body))
    this.#key!.advance()
    this.#seq += 1
    return `${body},"mac":"${mac}"}\n`
  }
}

/** A JSON object without its braces. */
const membersOf = (object: object): string => JSON.stringify(object).slice(1, -1)

/** One line as it was found, before anything of it is believed. */
export interface FoundLine {
  readonly stream: string
  readonly seq: number
  /** `seq` of the header of its segment; its own where it is a header. */
  readonly header: number
  /** What the MAC is of. */
  readonly body: string
  readonly mac: string
}

const lineStart = '{"audit":1,"stream":"'
const number = '(0|[1-9][0-9]{0,14})'
const lineForm = new RegExp(
  `^(${lineStart.replace('{', '\\{')}([0-9a-f]{16})","seq":${number},"header":${number},.*),"mac":"([0-9a-f]{64})"\\}$`,
)

/**
 * @param text a line of a log, each byte as one character; what a container runtime or a shipper set before it is left out
 * @returns null if it is no line of an audit stream, `damaged` if it begins as one
 */
export function findLine(text: string): FoundLine | 'damaged' | null {
  // The last one: a process that was killed may have left half a line without its line feed.
  const from = text.lastIndexOf(lineStart)
  if (from < 0) return null
  const found = lineForm.exec(text.slice(from))
  if (!found) return 'damaged'
  const [, body, stream, seq, header, mac] = found
  return { stream: stream!, seq: Number(seq), header: Number(header), body: body!, mac: mac! }
}
