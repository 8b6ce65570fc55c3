import { ParseError, unexpected } from './parse-error.ts'
import { substitute, type BoundValue } from './parameters.ts'
import { Scanner } from './scanner.ts'
import { textLimits } from './text-limits.ts'
import type { Token, TokenKind } from './token.ts'

/** How many tokens may be put back. */
const memory = 4
/** Depth of parentheses and calls, and number of operators: all that walks expressions recurses. */
const maxNesting = 400
const maxOperators = 4_000

/**
 * Reads tokens with a few steps back, and puts bound parameters in their places. The parser looks at characters, too,
 * to tell a regular expression from a division: those behind the last token read, also when it was put back.
 */
export class TokenBuffer {
  readonly #scanner: Scanner
  readonly #parameters: ReadonlyMap<string, BoundValue>
  readonly #recent: Token[] = []
  #unread = 0
  #nesting = 0
  #operators = 0
  #selects = 0

  constructor(text: string, parameters: ReadonlyMap<string, BoundValue>) {
    this.#scanner = new Scanner(text)
    this.#parameters = parameters
  }

  /** The next token, white space and comments included. */
  scanAny(): Token {
    return this.#next(() => this.#scanner.scan())
  }

  /** The next token that is neither white space nor comment. */
  scan(): Token {
    for (;;) {
      const token = this.scanAny()
      if (token.kind !== 'WS' && token.kind !== 'COMMENT') return token
    }
  }

  scanRegex(): Token {
    return this.#next(() => this.#scanner.scanRegex())
  }

  unscan(): void {
    this.#unread++
  }

  peekCharacter(): string {
    return this.#scanner.lookAhead()
  }

  /** Takes the next token if it is of `kind`; otherwise leaves it. */
  accept(kind: TokenKind): boolean {
    if (this.scan().kind === kind) return true
    this.unscan()
    return false
  }

  acceptAny(kind: TokenKind): boolean {
    if (this.scanAny().kind === kind) return true
    this.unscan()
    return false
  }

  /** @throws ParseError unless the next tokens are `kinds` */
  expect(...kinds: readonly TokenKind[]): void {
    for (const kind of kinds) {
      const token = this.scan()
      if (token.kind !== kind) throw unexpected(token, kind)
    }
  }

  identifier(): string {
    const token = this.scan()
    if (token.kind !== 'IDENT') throw unexpected(token, 'identifier')
    return token.text
  }

  /** Runs `parse` one level deeper. @throws ParseError when the query is nested too deeply */
  nested<T>(parse: () => T): T {
    if (++this.#nesting > maxNesting) throw new ParseError(`query is nested deeper than ${maxNesting} levels`)
    const result = parse()
    this.#nesting--
    return result
  }

  /** Runs `parse` for a SELECT within those under way. @throws ParseError when they are too many */
  nestedSelect<T>(parse: () => T): T {
    if (++this.#selects > textLimits.subqueries) {
      throw new ParseError(`subqueries are nested deeper than ${textLimits.subqueries} levels`)
    }
    const result = parse()
    this.#selects--
    return result
  }

  countOperator(): void {
    if (++this.#operators > maxOperators)
      throw new ParseError(`query has more than ${maxOperators} operators`)
  }

  /** Why `$name` could not be put in its place. */
  parameterProblem(token: Token): ParseError {
    const name = token.text.slice(1)
    if (name === '') return new ParseError('empty bound parameter')
    const bound = this.#parameters.get(name)
    const problem = bound !== undefined && 'problem' in bound ? bound.problem : name
    return new ParseError(`missing parameter: ${problem}`)
  }

  #next(scan: () => Token): Token {
    if (this.#unread === 0) {
      this.#recent.push(scan())
      if (this.#recent.length > memory) this.#recent.shift()
    } else {
      this.#unread--
    }
    return substitute(this.#recent[this.#recent.length - 1 - this.#unread]!, this.#parameters)
  }
}
