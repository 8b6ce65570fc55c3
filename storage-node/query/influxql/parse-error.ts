import { nameOfToken, type Position, type Token } from './token.ts'

/** A query that is no InfluxQL. The message is that of InfluxDB 1.x. */
export class ParseError extends Error {
  override readonly name = 'ParseError'
}

/** `found X, expected A, B at line L, char C` */
export function unexpected(token: Token, ...expected: readonly string[]): ParseError {
  return parseErrorAt(`found ${nameOfToken(token)}, expected ${expected.join(', ')}`, token.position)
}

export function parseErrorAt(text: string, position: Position): ParseError {
  return new ParseError(`${text} at line ${position.line + 1}, char ${position.char + 1}`)
}
