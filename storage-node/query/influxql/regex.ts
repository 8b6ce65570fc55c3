import { RE2JS } from 're2js'

/** A regular expression of Go's RE2 dialect: linear time, no back references. Matches anywhere in a text. */
export class Regex {
  readonly source: string
  readonly #compiled: RE2JS

  /** @throws Error with Go's text when the expression is not valid */
  constructor(source: string) {
    this.source = source
    this.#compiled = RE2JS.compile(source)
  }

  matches(text: string): boolean {
    return this.#compiled.test(text)
  }
}
