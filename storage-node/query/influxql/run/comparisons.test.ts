import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { MeasurementSchema, Reader } from '../../../engine/reader.ts'
import { answer } from '../../testing/answer.ts'
import { MemoryReader } from '../../testing/memory-reader.ts'
import { parseQuery } from '../query.ts'
import { comparisonsIn, comparisonsOnly } from './comparisons.ts'
import { tries } from '../../../../test/support/tries.ts'

// Attacks the promise that an answer is the same whether the reader leaves points out early or not: where fields are
// missing, types differ, literals wrap or round, and comparisons stand below OR.

const schema: MeasurementSchema = {
  name: 'm',
  tagKeys: ['t'],
  fields: new Map([
    ['f', 'float'],
    ['i', 'integer'],
    ['u', 'unsigned'],
    ['s', 'string'],
    ['b', 'boolean'],
  ]),
}

function conditionOf(text: string) {
  const [statement] = parseQuery(`SELECT f FROM m WHERE ${text}`, {})
  if (statement?.kind !== 'select') throw new Error('not a SELECT')
  return statement.condition
}

test.each([
  ['f > 90', [{ field: 'f', operator: '>', value: 90 }]],
  ['90.5 > f', [{ field: 'f', operator: '<', value: 90.5 }]],
  [
    `(i >= 3.0 AND (s = 'x')) AND t = 'a'`,
    [
      { field: 'i', operator: '>=', value: 3n },
      { field: 's', operator: '=', value: 'x' },
    ],
  ],
  [
    'u = 18446744073709551615 AND b != true',
    [
      { field: 'u', operator: '=', value: 18_446_744_073_709_551_615n },
      { field: 'b', operator: '!=', value: true },
    ],
  ],
  ['f > 1 OR i > 1', []],
  ['f::integer > 1', []],
  ['f > 1 AND i > 1 AND f::integer = 1', [{ field: 'i', operator: '>', value: 1n }]],
  [`u > 1 AND u::tag = 'a'`, []],
  ['i > 0.5', []],
  ['u > -1', []],
  ['i = 18446744073709551615', []],
  [`s > 'a'`, []],
  ['b < true', []],
  [`t = 'a'`, []],
  ['f > i', []],
  ['f + 1 > 2', []],
])('%s', (text, comparisons) => {
  expect(comparisonsIn(conditionOf(text), schema)).toEqual(comparisons)
})

test.each([
  ['u < 5 AND i = 1', 2],
  ['u < 5 AND (i = 1 OR i = 2)', null],
  ['u < 5 AND u::integer = -1', null],
])('%s asks for comparisons alone, null where for more: %s', (text, count) => {
  expect(comparisonsOnly(conditionOf(text), schema)?.length ?? null).toBe(count)
})

const field = fc.oneof(
  fc.constantFrom('i=9007199254740993i', 'i=-1i', 'i=0i', 'i=1i', 'i=9223372036854775807i'),
  fc.constantFrom('u=0u', 'u=1u', 'u=9007199254740993u', 'u=18446744073709551615u'),
  fc.constantFrom('f=-0', 'f=0', 'f=0.5', 'f=1', 'f=9007199254740992'),
  fc.constantFrom('s="1"', 's="a"', 's=""', 'b=true', 'b=false'),
)
const line = fc
  .tuple(
    fc.constantFrom('', ',t=1', ',t=a'),
    fc.uniqueArray(field, { minLength: 1, maxLength: 5, selector: (text) => text[0] }),
    fc.integer({ min: 1, max: 30 }),
  )
  .map(([tags, fields, time]) => `m${tags} ${fields.join(',')} ${time}`)

const number = fc.constantFrom('0', '1', '-1', '0.5', '1.0', '-0.0')
const largeNumber = fc.constantFrom('9007199254740993', '9007199254740992.0', '18446744073709551615')
const literal = fc.oneof(number, largeNumber, fc.constantFrom("'1'", "'a'", "''", 'true', 'false'))
const operand = fc.oneof(
  fc.constantFrom('f', 'i', 'u', 's', 'b', 't', 'nothing', 'i::float', 'u::integer', 'f::field', 'f::tag'),
  literal,
)
const comparison = fc
  .tuple(operand, fc.constantFrom('=', '!=', '<', '<=', '>', '>='), operand)
  .map((parts) => parts.join(' '))
const condition = fc
  .tuple(comparison, fc.constantFrom('AND', 'OR'), comparison, fc.constantFrom('AND', 'OR'), comparison)
  .map(([a, and, b, or, c]) => `${a} ${and} (${b} ${or} ${c})`)

const leavingOutNothing = (reader: MemoryReader): Reader => ({
  measurements: () => reader.measurements(),
  generation: () => reader.generation(),
  series: (...measurement) => reader.series(...measurement),
  read: ({ matching: _ignored, ...request }) => reader.read(request),
})

test('leaving points out early changes no answer', async () => {
  const statement = fc
    .tuple(
      fc.constantFrom('f', '*', 'i, t', 'max(f)', 'count(s)', 'last(b)', 'mean(u)'),
      fc.oneof(comparison, condition),
      fc.constantFrom('', ' GROUP BY t', ' LIMIT 2', ' GROUP BY * ORDER BY time DESC LIMIT 1'),
    )
    .map(([fields, where, rest]) => `SELECT ${fields} FROM m WHERE ${where}${rest}`)
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { minLength: 1, maxLength: 40 }),
      fc.array(statement, { minLength: 1, maxLength: 8 }),
      async (lines, statements) => {
        const reader = new MemoryReader(lines.join('\n'), 3)
        for (const q of statements) {
          expect(await answer(reader, { q })).toEqual(await answer(leavingOutNothing(reader), { q }))
        }
      },
    ),
    tries(60),
  )
})
