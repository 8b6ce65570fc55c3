import { formatDuration } from './duration.ts'
import type { Token, TokenKind } from './token.ts'

/** What stands in the place of `$name`, or why nothing can. */
export type BoundValue = { readonly kind: TokenKind; readonly text: string } | { readonly problem: string }

/**
 * Binds a request's parameter. Integers come as bigint, floats as number, the rest as JSON gives it; an object with
 * one entry says the kind: `{"ident": "cpu"}`, `{"regex": "^a"}`, `{"duration": "1m"}`.
 */
export function bindValue(value: unknown): BoundValue {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return bindObject(value)
  return bindScalar(value) ?? { problem: `unable to bind parameter with type ${goTypeOf(value)}` }
}

/** The token that the scanner's `$name` becomes, or the token itself where nothing is bound. */
export function substitute(token: Token, parameters: ReadonlyMap<string, BoundValue>): Token {
  const bound = token.kind === 'BOUNDPARAM' ? parameters.get(token.text.slice(1)) : undefined
  if (bound === undefined || token.text === '$') return token
  return 'problem' in bound ? token : { ...token, kind: bound.kind, text: bound.text }
}

function bindScalar(value: unknown): BoundValue | null {
  if (typeof value === 'number') return { kind: 'NUMBER', text: plainDecimal(value) }
  if (typeof value === 'bigint') return { kind: 'INTEGER', text: value.toString() }
  if (typeof value === 'string') return { kind: 'STRING', text: value }
  if (typeof value === 'boolean') return { kind: value ? 'TRUE' : 'FALSE', text: '' }
  return null
}

function bindObject(object: object): BoundValue {
  const entries = Object.entries(object)
  if (entries.length !== 1) return { problem: 'bound object parameter value must have exactly one entry' }
  const [kind, value] = entries[0] as [string, unknown]
  switch (kind) {
    case 'ident':
    case 'identifier':
      return typeof value === 'string'
        ? { kind: 'IDENT', text: value }
        : { problem: 'identifier must be a string value' }
    case 'regex':
      return typeof value === 'string'
        ? { kind: 'REGEX', text: value }
        : { problem: 'regex literal must be a string value' }
    case 'string':
      return typeof value === 'string'
        ? { kind: 'STRING', text: value }
        : { problem: 'string literal must be a string value' }
    case 'float':
    case 'number':
      return typeof value === 'number' || typeof value === 'bigint'
        ? { kind: 'NUMBER', text: plainDecimal(Number(value)) }
        : { problem: 'number literal must be a float value' }
    case 'int':
    case 'integer':
      return typeof value === 'bigint'
        ? { kind: 'INTEGER', text: value.toString() }
        : { problem: 'integer literal must be an integer value' }
    case 'duration':
      if (typeof value === 'string') return { kind: 'DURATIONVAL', text: value }
      if (typeof value === 'bigint') return { kind: 'DURATIONVAL', text: formatDuration(value) }
      return { problem: 'duration literal must be a string or integer value' }
    default:
      return { problem: `unknown bind object type: ${kind}` }
  }
}

function goTypeOf(value: unknown): string {
  if (value === null || value === undefined) return '<nil>'
  return Array.isArray(value) ? '[]interface {}' : typeof value
}

/** Digits without an exponent, as many as the number needs. */
export function plainDecimal(value: number): string {
  const text = String(value)
  const match = /^(-?)(\d+)(?:\.(\d+))?e([+-]\d+)$/.exec(text)
  if (!match) return text
  const [, sign, whole = '', fraction = '', exponentText] = match
  const exponent = Number(exponentText)
  if (exponent >= 0) return sign + whole + fraction.padEnd(exponent, '0')
  return `${sign}0.${'0'.repeat(-exponent - 1)}${whole}${fraction}`
}
