import type { DeleteStatement } from './ast.ts'
import { ParseError, unexpected } from './parse-error.ts'
import { parseCondition, parseSources } from './parse-select.ts'
import type { TokenBuffer } from './token-buffer.ts'

/** What follows DELETE and DROP SERIES: FROM, WHERE or both. */
export const parseDeletion =
  (kind: 'delete' | 'drop series') =>
  (tokens: TokenBuffer): DeleteStatement => {
    const first = tokens.scan()
    tokens.unscan()
    const sources = tokens.accept('FROM') ? parseSources(tokens, false) : []
    for (const source of sources) {
      if (source.kind !== 'measurement') continue
      if (source.retentionPolicy !== '')
        throw new ParseError('retention policy not supported at line 1, char 1')
      if (source.database !== '') throw new ParseError('database not supported at line 1, char 1')
    }
    const condition = parseCondition(tokens)
    if (condition === null && sources.length === 0) throw unexpected(first, 'FROM', 'WHERE')
    return { kind, sources, condition }
  }

export function parseDropMeasurement(tokens: TokenBuffer): DeleteStatement {
  return { kind: 'drop measurement', name: tokens.identifier() }
}
