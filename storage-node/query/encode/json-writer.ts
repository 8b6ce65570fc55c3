import { Utf8Buffer } from './utf8-buffer.ts'

/** A place in what has been written and not been taken, to go back to. */
export interface JsonMark {
  readonly length: number
  readonly depth: number
  readonly empty: boolean
}

const brackets = { '{': 0x7b, '}': 0x7d, '[': 0x5b, ']': 0x5d } as const
const comma = 0x2c

/** Writes JSON piece by piece, in the form of Go's encoding/json: compact, or indented by four spaces. */
export class JsonWriter {
  readonly #pretty: boolean
  readonly #bytes = new Utf8Buffer()
  #depth = 0
  /** Nothing has been written yet inside the innermost array or object. */
  #empty = true

  constructor(pretty: boolean) {
    this.#pretty = pretty
  }

  /** Bytes that are waiting to be taken. */
  get length(): number {
    return this.#bytes.length
  }

  take(): readonly Buffer[] {
    return this.#bytes.take()
  }

  mark(): JsonMark {
    return { length: this.#bytes.length, depth: this.#depth, empty: this.#empty }
  }

  /** Forgets what has been written since; nothing of it has been taken. */
  rewind({ length, depth, empty }: JsonMark): void {
    this.#bytes.truncate(length)
    this.#depth = depth
    this.#empty = empty
  }

  open(bracket: '{' | '['): void {
    this.#bytes.byte(brackets[bracket])
    this.#depth++
    this.#empty = true
  }

  close(bracket: '}' | ']'): void {
    this.#depth--
    if (!this.#empty) this.#newLine()
    this.#bytes.byte(brackets[bracket])
    this.#empty = false
  }

  /** An array in compact form has been closed by hand. */
  closed(): void {
    this.#depth--
    this.#empty = false
  }

  /** Comes before each member of an array. */
  item(): void {
    if (!this.#empty) this.#bytes.byte(comma)
    this.#empty = false
    this.#newLine()
  }

  key(name: string): void {
    this.item()
    this.raw(`"${name}":${this.#pretty ? ' ' : ''}`)
  }

  /** JSON as it is: a literal, or in compact form anything. */
  raw(json: string): void {
    this.#bytes.text(json)
  }

  /** Where literals can be written directly. */
  get bytes(): Utf8Buffer {
    return this.#bytes
  }

  get pretty(): boolean {
    return this.#pretty
  }

  #newLine(): void {
    if (this.#pretty) this.raw(`\n${'    '.repeat(this.#depth)}`)
  }
}

const unsafe = /[<>&\u2028\u2029]/g

/** A string as Go writes it: safe inside HTML and JavaScript. */
export function jsonString(text: string): string {
  const json = JSON.stringify(text)
  // Most need nothing more, and replacing costs even where there is nothing to replace.
  if (json.search(unsafe) < 0) return json
  return json.replace(unsafe, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
