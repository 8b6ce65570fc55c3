/** Writes JSON piece by piece, in the form of Go's encoding/json: compact, or indented by four spaces. */
export class JsonWriter {
  readonly #pretty: boolean
  #text = ''
  #depth: number
  /** Nothing has been written yet inside the innermost array or object. */
  #empty = true

  /** @param depth of what surrounds the text, for its indentation */
  constructor(pretty: boolean, depth = 0) {
    this.#pretty = pretty
    this.#depth = depth
  }

  /** Characters that are waiting to be taken. */
  get length(): number {
    return this.#text.length
  }

  take(): string {
    const text = this.#text
    this.#text = ''
    return text
  }

  open(bracket: '{' | '['): void {
    this.#text += bracket
    this.#depth++
    this.#empty = true
  }

  close(bracket: '}' | ']'): void {
    this.#depth--
    if (!this.#empty) this.#newLine()
    this.#text += bracket
    this.#empty = false
  }

  /** Comes before each member of an array. */
  item(): void {
    if (!this.#empty) this.#text += ','
    this.#empty = false
    this.#newLine()
  }

  key(name: string): void {
    this.item()
    this.#text += `"${name}":${this.#pretty ? ' ' : ''}`
  }

  /** JSON as it is: a literal, or in compact form anything. */
  raw(json: string): void {
    this.#text += json
  }

  get pretty(): boolean {
    return this.#pretty
  }

  #newLine(): void {
    if (this.#pretty) this.#text += `\n${'    '.repeat(this.#depth)}`
  }
}

const unsafe = /[<>&\u2028\u2029]/g

/** A string as Go writes it: safe inside HTML and JavaScript. */
export function jsonString(text: string): string {
  return JSON.stringify(text).replace(unsafe, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
