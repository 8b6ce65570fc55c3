import { AppError } from '../../../common/errors.ts'
import type { Expr } from '../../query/influxql/ast.ts'
import { Scanner } from '../../query/influxql/scanner.ts'
import type { Token } from '../../query/influxql/token.ts'

const maxRules = 100
const maxDepth = 100

/**
 * The predicate of a delete of InfluxDB 2: `key="value" AND …` with `=` and `!=`, parentheses as one likes, and
 * `_measurement` for the measurement's name.
 * @returns the same as a condition of InfluxQL; null for an empty text
 * @throws AppError invalid, ERR_DELETE_PREDICATE, in the words of InfluxDB 2
 */
export function parsePredicate(text: string): Expr | null {
  if (text === '') return null
  const parser = new PredicateParser(text)
  const all = parser.all(0)
  return all.length === 0 ? null : all.reduce((left, right) => binary('AND', left, right))
}

const binary = (operator: 'AND' | '=' | '!=', left: Expr, right: Expr): Expr => ({
  kind: 'binary',
  operator,
  left,
  right,
})

const invalid = (message: string): AppError => new AppError('invalid', 'ERR_DELETE_PREDICATE', message)

class PredicateParser {
  readonly #scanner: Scanner
  #rules = 0

  constructor(text: string) {
    this.#scanner = new Scanner(text)
  }

  /** Rules up to the end of the text, or of the parentheses `depth` deep. */
  all(depth: number): Expr[] {
    const rules: Expr[] = []
    for (;;) {
      const token = this.#next()
      switch (token.kind) {
        case 'IDENT':
        case 'NAME':
          rules.push(this.#rule(token))
          break
        case 'AND':
          break
        case '(':
          if (depth >= maxDepth) throw invalid(`more than ${maxDepth} parentheses in each other`)
          rules.push(...this.all(depth + 1))
          break
        case ')':
          if (depth === 0) throw invalid('extra ) seen')
          return rules
        case 'EOF':
          if (depth > 0) throw invalid('extra ( seen')
          return rules
        case 'OR':
          throw invalid(`the logical operator OR is not supported yet at position ${token.position.char}`)
        default:
          throw invalid(`bad logical expression, at position ${token.position.char}`)
      }
    }
  }

  #rule(name: Token): Expr {
    if (++this.#rules > maxRules) throw invalid(`more than ${maxRules} comparisons`)
    const key = name.kind === 'NAME' ? 'name' : name.text
    if (key === '_field') throw invalid('delete by field is not supported')
    const operator = this.#next()
    const { char } = operator.position
    if (operator.kind === '=~' || operator.kind === '!~')
      throw invalid(`operator: "${operator.kind}" at position: ${char} is not supported yet`)
    if (operator.kind !== '=' && operator.kind !== '!=')
      throw invalid(`invalid operator ${JSON.stringify(operator.text || operator.kind)} at position: ${char}`)
    const left: Expr =
      key === '_measurement'
        ? { kind: 'ref', name: '_name', type: 'unknown' }
        : { kind: 'ref', name: key, type: 'tag' }
    return binary(operator.kind, left, { kind: 'string', value: this.#value() })
  }

  #value(): string {
    const token = this.#next()
    switch (token.kind) {
      case 'IDENT':
      case 'NUMBER':
      case 'INTEGER':
        return token.text
      case 'TRUE':
        return 'true'
      case 'FALSE':
        return 'false'
      default:
        throw invalid(`bad tag value: ${JSON.stringify(token.text)}, at position ${token.position.char}`)
    }
  }

  #next(): Token {
    for (;;) {
      const token = this.#scanner.scan()
      if (token.kind !== 'WS') return token
    }
  }
}
