import { describe, expect, test } from 'vitest'
import { formatExpr } from '../../query/influxql/format.ts'
import { deleteBodyOf } from './delete.ts'
import { parsePredicate } from './delete-predicate.ts'

/** Promise: a delete takes what it says and nothing more; what it cannot say for sure is refused, in InfluxDB 2's words. */

describe('predicates', () => {
  test.each([
    ['', null],
    ['  ', null],
    ['host=a', `host::tag = 'a'`],
    ['host = "a b"', `host::tag = 'a b'`],
    ['"a b" != 12', `"a b"::tag != '12'`],
    ['"on"=true and off=FALSE', `"on"::tag = 'true' AND off::tag = 'false'`],
    ['_measurement="cpu" AND host=a', `_name = 'cpu' AND host::tag = 'a'`],
    ['(a=b and (c=d and e=f)) AND g=h', `a::tag = 'b' AND c::tag = 'd' AND e::tag = 'f' AND g::tag = 'h'`],
    ['name=x', `"name"::tag = 'x'`],
    [`host="it's"`, `host::tag = 'it\\'s'`],
  ])('%s', (text, condition) => {
    const parsed = parsePredicate(text)
    expect(parsed && formatExpr(parsed)).toBe(condition)
  })

  test.each([
    ['a=b OR c=d', 'the logical operator OR is not supported yet at position 4'],
    ['a=b and (c=d', 'extra ( seen'],
    ['a=b)', 'extra ) seen'],
    ['a>1', 'invalid operator ">" at position: 1'],
    ['a=~/x/', 'operator: "=~" at position: 1 is not supported yet'],
    ["a='x'", 'bad tag value: "x", at position 1'],
    ['a=', 'bad tag value: "", at position 2'],
    ['=a', 'bad logical expression, at position 0'],
    ['_field=v', 'delete by field is not supported'],
    ['a=b and _field=v', 'delete by field is not supported'],
    ['('.repeat(101), 'more than 100 parentheses in each other'],
    [Array.from({ length: 101 }, () => 'a=b').join(' and '), 'more than 100 comparisons'],
  ])('%s is refused', (text, message) => {
    expect(() => parsePredicate(text)).toThrow(
      expect.objectContaining({ kind: 'invalid', message: expect.stringContaining(message) }),
    )
  })
})

describe('bodies', () => {
  const body = (fields: object) => deleteBodyOf(JSON.stringify(fields))

  test('times are taken to the nanosecond, whatever their zone', () => {
    const times = { start: '1970-01-01T00:00:00.000000001Z', stop: '1970-01-01T01:00:00.5+01:00' }
    expect(body(times)).toEqual({ startNs: 1n, stopNs: 500_000_000n, condition: null })
  })

  test.each([
    [{ start: '1970-01-01', stop: '1970-01-02T00:00:00Z' }, 'field start'],
    [{ start: '1970-01-01T00:00:00', stop: '1970-01-02T00:00:00Z' }, 'field start'],
    [{ start: '1970-01-01T00:00:00Z' }, 'field stop'],
    [{ start: 0, stop: '1970-01-02T00:00:00Z' }, 'start: a string expected'],
    [
      { start: '1600-01-01T00:00:00Z', stop: '1970-01-02T00:00:00Z' },
      'start time must not be before 1677-09-21T00:12:43.145224194Z',
    ],
    [
      { start: '1970-01-01T00:00:00Z', stop: '2300-01-01T00:00:00Z' },
      'stop time must not be after 2262-04-11T23:47:16.854775806Z',
    ],
    [
      { start: '1970-01-01T00:00:00Z', stop: '1970-01-02T00:00:00Z', predicate: ['a'] },
      'predicate: a string',
    ],
  ])('%j', (fields, message) => {
    expect(() => body(fields)).toThrow(
      expect.objectContaining({ kind: 'invalid', message: expect.stringContaining(message) }),
    )
  })
})
