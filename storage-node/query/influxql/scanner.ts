import { keywordOf, type Position, type Token, type TokenKind } from './token.ts'

const isSpace = (c: string): boolean => c === ' ' || c === '\t' || c === '\n'
const isLetter = (c: string): boolean => (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
const isDigit = (c: string): boolean => c >= '0' && c <= '9'
const isIdentifierCharacter = (c: string): boolean => c !== '' && (isLetter(c) || isDigit(c) || c === '_')
const isUnitCharacter = (c: string): boolean => c !== '' && (isLetter(c) || c === 'µ')

const escapes: Readonly<Record<string, string>> = { n: '\n', '\\': '\\', '"': '"', "'": "'" }

const pairs: Readonly<Record<string, TokenKind>> = {
  '=~': '=~',
  '!=': '!=',
  '!~': '!~',
  '>=': '>=',
  '<=': '<=',
  '<>': '!=',
  '::': '::',
}
const singles = new Set<string>([
  '+',
  '-',
  '*',
  '/',
  '%',
  '&',
  '|',
  '^',
  '=',
  '>',
  '<',
  '(',
  ')',
  ',',
  ';',
  ':',
  '.',
])

/**
 * Turns the text of a query into tokens, one at a time, since only the parser knows where a `/` starts a regular
 * expression. Positions are those of InfluxDB 1.x, which places
 * strings and regular expressions one character too early.
 */
export class Scanner {
  readonly #characters: readonly string[]
  readonly #lineStarts: readonly number[]
  #at = 0
  #line = 0
  /** Words, spaces and line comments at the end of the text take the end in, which moves its position by one. */
  #endTaken = false

  constructor(text: string) {
    // The end of text counts as NUL does, and carriage returns as line feeds.
    const characters = Array.from(text.replaceAll('\r\n', '\n').replaceAll('\r', '\n'))
    const end = characters.indexOf('\0')
    this.#characters = end < 0 ? characters : characters.slice(0, end)
    this.#lineStarts = lineStartsOf(this.#characters)
  }

  /** The character that comes next, or '' at the end, which looking takes in. */
  lookAhead(): string {
    const c = this.#peek()
    if (c === '') this.#endTaken = true
    return c
  }

  #peek(offset = 0): string {
    return this.#characters[this.#at + offset] ?? ''
  }

  scan(): Token {
    const position = this.#position()
    const c = this.#peek()
    if (c === '') return this.#end(position)
    if (isSpace(c)) {
      this.#takeWhile(isSpace)
      this.lookAhead()
      return { kind: 'WS', position, text: ' ' }
    }
    if (isLetter(c) || c === '_' || c === '"') return this.#identifier(true)
    if (isDigit(c) || (c === '.' && isDigit(this.#peek(1)))) return this.#number()
    if (c === "'") return this.#string()
    if (c === '$') return this.#parameter(position)
    return this.#comment(position) ?? this.#punctuation(position)
  }

  /** Scans `/…/`; only `\/` is an escape, the rest belongs to the expression. */
  scanRegex(): Token {
    const position = this.#position(-1)
    const bad: Token = { kind: 'BADREGEX', position, text: '' }
    if (this.#take() !== '/') return bad
    let text = ''
    for (;;) {
      const c = this.#take()
      if (c === '/') return { kind: 'REGEX', position, text }
      if (c === '' || c === '\n') return bad
      if (c === '\\' && this.#peek() === '') return bad
      text += c === '\\' && this.#peek() === '/' ? this.#take() : c
    }
  }

  #end({ line, char }: Position): Token {
    const position = { line, char: char + (this.#endTaken ? 1 : 0) }
    this.#endTaken = true
    return { kind: 'EOF', position, text: '' }
  }

  #punctuation(position: Position): Token {
    const c = this.#take()
    const pair = pairs[c + this.#peek()]
    if (pair !== undefined) {
      this.#take()
      return { kind: pair, position, text: '' }
    }
    if (singles.has(c)) return { kind: c as TokenKind, position, text: '' }
    return { kind: 'ILLEGAL', position, text: c }
  }

  #comment(position: Position): Token | null {
    const start = this.#peek() + this.#peek(1)
    if (start === '--') {
      this.#takeWhile((c) => c !== '\n')
      this.lookAhead()
      this.#take()
      return { kind: 'COMMENT', position, text: '' }
    }
    if (start !== '/*') return null
    this.#at += 2
    while (this.#peek() !== '' && this.#peek() + this.#peek(1) !== '*/') this.#at++
    const closed = this.#peek() !== ''
    this.#at += closed ? 2 : 0
    return { kind: closed ? 'COMMENT' : 'ILLEGAL', position, text: '' }
  }

  #parameter(position: Position): Token {
    this.#take()
    const name = this.#identifier(false)
    if (name.kind !== 'IDENT') return { kind: name.kind, position, text: `$${name.text}` }
    return { kind: 'BOUNDPARAM', position, text: `$${name.text}` }
  }

  #identifier(maybeKeyword: boolean): Token {
    const position = this.#position()
    const bare = this.#takeWhile(isIdentifierCharacter)
    if (bare !== '') this.lookAhead()
    // A quote right behind bare characters replaces them: a"b" is the identifier b.
    if (this.#peek() === '"') {
      const quoted = this.#string()
      return quoted.kind === 'STRING' ? { kind: 'IDENT', position, text: quoted.text } : quoted
    }
    const kind = maybeKeyword ? keywordOf(bare) : 'IDENT'
    return { kind, position, text: kind === 'IDENT' ? bare : '' }
  }

  #string(): Token {
    const position = this.#position(-1)
    const quote = this.#take()
    let text = ''
    for (;;) {
      const c = this.#take()
      if (c === quote) return { kind: 'STRING', position, text }
      if (c === '' || c === '\n') return { kind: 'BADSTRING', position, text }
      if (c !== '\\') {
        text += c
        continue
      }
      const escape = this.#take()
      const replacement = escapes[escape]
      if (replacement === undefined) {
        return { kind: 'BADESCAPE', position: this.#position(-1), text: `\\${escape}` }
      }
      text += replacement
    }
  }

  #number(): Token {
    const position = this.#position()
    let text = this.#takeWhile(isDigit)
    if (this.#peek() === '.') {
      this.#take()
      if (isDigit(this.#peek())) text += `.${this.#takeWhile(isDigit)}`
      return { kind: 'NUMBER', position, text }
    }
    if (!isUnitCharacter(this.#peek())) return { kind: 'INTEGER', position, text }
    text += this.#takeWhile((c) => isUnitCharacter(c) || isDigit(c))
    return { kind: 'DURATIONVAL', position, text }
  }

  #take(): string {
    const c = this.#peek()
    if (c !== '') this.#at++
    return c
  }

  #takeWhile(matches: (c: string) => boolean): string {
    const start = this.#at
    while (this.#peek() !== '' && matches(this.#peek())) this.#at++
    return this.#characters.slice(start, this.#at).join('')
  }

  #position(offset = 0): Position {
    const at = Math.max(0, this.#at + offset)
    while ((this.#lineStarts[this.#line + 1] ?? Infinity) <= at) this.#line++
    while (this.#lineStarts[this.#line]! > at) this.#line--
    return { line: this.#line, char: at - this.#lineStarts[this.#line]! }
  }
}

function lineStartsOf(characters: readonly string[]): readonly number[] {
  const starts = [0]
  for (const [index, c] of characters.entries()) if (c === '\n') starts.push(index + 1)
  return starts
}
