import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BatchTable, ParsedBatch, Precision } from './batch.ts'
import { parseLines } from './parse.ts'
import { tagsOfKey } from './series-key.ts'
import { processorTime } from '../../test/support/processor-time.ts'
import { tries } from '../../test/support/tries.ts'

/** Promise: what InfluxDB 1.8 takes is taken with the same meaning, what it refuses is refused with the same text. */

const nowNs = 1_700_000_000_123_456_789n
const parse = (text: string, precision: Precision = 'ns'): ParsedBatch =>
  parseLines(Buffer.from(text), precision, nowNs)

interface Point {
  readonly measurement: string
  readonly tags: Readonly<Record<string, string>>
  readonly fields: Readonly<Record<string, unknown>>
  readonly timeNs: bigint
}

function pointsOf(table: BatchTable): Point[] {
  return Array.from({ length: table.rowCount }, (_, row) => {
    const present = table.columns.filter((column) => !column.present || column.present[row] === 1)
    return {
      measurement: table.measurement,
      tags: Object.fromEntries(tagsOfKey(table.series[table.seriesOfRow[row]!]!.key)),
      fields: Object.fromEntries(
        present.map(({ name, type, values }) => [name, type === 'boolean' ? values[row] === 1 : values[row]]),
      ),
      timeNs: table.times[row]!,
    }
  })
}

function onePoint(line: string, precision: Precision = 'ns'): Point {
  const batch = parse(line, precision)
  expect(batch.errors).toEqual([])
  const points = batch.tables.flatMap(pointsOf)
  expect(points).toHaveLength(1)
  return points[0]!
}

describe('points', () => {
  test.each<[string, string, unknown]>([
    ['float', '1.5', 1.5],
    ['whole float', '12', 12],
    ['minus zero', '-0', -0],
    ['leading point', '.5', 0.5],
    ['trailing point', '1.', 1],
    ['exponent', '1e3', 1000],
    ['exponent with sign', '-1.5E-3', -0.0015],
    ['17 digits, correctly rounded', '0.30000000000000004', 0.30000000000000004],
    ['halfway case', '9007199254740993', 9007199254740992],
    ['largest', '1.7976931348623157e308', Number.MAX_VALUE],
    ['smallest', '5e-324', 5e-324],
    ['integer', '12i', 12n],
    ['negative integer', '-7i', -7n],
    ['16 digits', '9007199254740993i', 9007199254740993n],
    ['largest int64', '9223372036854775807i', 9223372036854775807n],
    ['smallest int64', '-9223372036854775808i', -9223372036854775808n],
    ['unsigned', '0u', 0n],
    ['largest uint64', '18446744073709551615u', 18446744073709551615n],
    ['t', 't', true],
    ['True', 'True', true],
    ['FALSE', 'FALSE', false],
    ['string', '"a b,c=d"', 'a b,c=d'],
    ['empty string', '""', ''],
    ['escaped quote and backslash', String.raw`"a\"b\\c"`, String.raw`a"b\c`],
    ['other escapes stay', String.raw`"a\nb"`, String.raw`a\nb`],
    ['UTF-8', '"héé 😀"', 'héé 😀'],
  ])('%s', (_, text, value) => {
    expect(onePoint(`m v=${text} 1`).fields['v']).toBe(value)
  })

  test('escapes in measurement, tags and field keys', () => {
    expect(onePoint(String.raw`a\,b\ c\=d,t\ 1=x\=y\,z,u=\" f\,1=1,f\=2=2 5`)).toEqual({
      measurement: 'a,b c=d',
      tags: { 't 1': 'x=y,z', u: String.raw`\"` },
      fields: { 'f,1': 1, 'f=2': 2 },
      timeNs: 5n,
    })
  })

  test('tags are sorted, so that one series has one form', () => {
    const [table] = parse('m,b=2,a=1 v=1 1\nm,a=1,b=2 v=2 2').tables
    const key = '["m","a","1","b","2"]'
    expect(table!.series.map((series) => series.key)).toEqual([key, key])
  })

  test('a newline inside a string belongs to it, and lines go on being counted', () => {
    const batch = parse('m v="a\nb" 1\nbad\nm v="c" 2')
    expect(batch.tables.flatMap(pointsOf).map(({ fields }) => fields['v'])).toEqual(['a\nb', 'c'])
    expect(batch.errors).toEqual([{ line: 3, text: 'bad', message: 'missing fields' }])
  })

  test('comments, blank lines and white space at the start mean nothing', () => {
    expect(parse('# m v=1\n\n  \n\t m v=1 1\n').tables.flatMap(pointsOf)).toHaveLength(1)
  })

  test('of a field twice in a line the last counts; the field time is dropped', () => {
    expect(onePoint('m v=1,v=2,time=3 1').fields).toEqual({ v: 2 })
    expect(onePoint('m v=1,v="two",w=t,v=3 1').fields).toEqual({ v: 3, w: true })
    expect(onePoint('m v=1,v="two" 1').fields).toEqual({ v: 'two' })
  })

  test('rows keep to their columns where lines have different fields', () => {
    const [table] = parse('m a=1 1\nm b=2 2\nm a=3,b=4 3\nbad\nm c=1x 4\nm c="s" 5').tables
    expect(pointsOf(table!).map(({ fields }) => fields)).toEqual([
      { a: 1 },
      { b: 2 },
      { a: 3, b: 4 },
      { c: 's' },
    ])
  })
})

describe('timestamps', () => {
  test.each<[Precision, string, bigint]>([
    ['n', '1465839830100400200', 1465839830100400200n],
    ['ns', '-1', -1n],
    ['ns', '0', 0n],
    ['ns', '9223372036854775806', 9223372036854775806n],
    ['ns', '-9223372036854775806', -9223372036854775806n],
    ['u', '1465839830100400', 1465839830100400000n],
    ['us', '1', 1000n],
    ['ms', '1465839830100', 1465839830100000000n],
    ['s', '1465839830', 1465839830000000000n],
    ['s', '-3', -3000000000n],
    ['m', '24430663', 1465839780000000000n],
    ['h', '407177', 1465837200000000000n],
  ])('%s %s', (precision, text, timeNs) => {
    expect(onePoint(`m v=1 ${text}`, precision).timeNs).toBe(timeNs)
  })

  test.each<[Precision, bigint]>([
    ['ns', nowNs],
    ['us', 1_700_000_000_123_456_000n],
    ['ms', 1_700_000_000_123_000_000n],
    ['s', 1_700_000_000_000_000_000n],
    ['m', 1_699_999_980_000_000_000n],
    ['h', 1_699_999_200_000_000_000n],
  ])('without one the supplied now is cut to %s', (precision, timeNs) => {
    expect(onePoint('m v=1', precision).timeNs).toBe(timeNs)
  })

  test('any nanosecond survives', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -9223372036854775806n, max: 9223372036854775806n }), (timeNs) => {
        expect(onePoint(`m v=1 ${timeNs}`).timeNs).toBe(timeNs)
      }),
      tries(),
    )
  })

  test('any whole unit survives', () => {
    const cases = fc.tuple(
      fc.constantFrom<[Precision, bigint]>(['us', 1000n], ['ms', 1000000n], ['s', 1000000000n]),
      fc.bigInt({ min: -9_000_000_000n, max: 9_000_000_000n }),
    )
    fc.assert(
      fc.property(cases, ([[precision, unit], count]) => {
        expect(onePoint(`m v=1 ${count}`, precision).timeNs).toBe(count * unit)
      }),
      tries(),
    )
  })
})

describe('numbers', () => {
  test('any double survives in its shortest form', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = Object.is(value, -0) ? '-0' : String(value)
        expect(onePoint(`m v=${text} 1`).fields['v']).toBe(value)
      }),
      tries(500),
    )
  })

  test('any int64 and uint64 survives', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        (signed, unsigned) => {
          expect(onePoint(`m v=${signed}i,w=${unsigned}u 1`).fields).toEqual({ v: signed, w: unsigned })
        },
      ),
      tries(),
    )
  })
})

describe('refusals', () => {
  test.each([
    ['m', 'missing fields'],
    [',a=b v=1', 'missing measurement'],
    ['m,', 'missing tag key'],
    ['m, v=1', 'missing tag key'],
    ['m,=b v=1', 'missing tag key'],
    ['m,a v=1', 'missing tag value'],
    ['m,a= v=1', 'missing tag value'],
    ['m,a=,b=c v=1', 'missing tag value'],
    ['m,a=b', 'missing fields'],
    ['m,a=b=c v=1', 'invalid tag format'],
    ['m,a=b,a=c v=1', 'duplicate tags'],
    ['m,b=1,a=2,b=3 v=1', 'duplicate tags'],
    ['m ', 'invalid field format'],
    ['m v', 'invalid field format'],
    ['m a=1,b', 'invalid field format'],
    ['m a=1,', 'invalid field format'],
    ['m =1', 'missing field key'],
    ['m a=1,=2', 'missing field key'],
    ['a b=', 'missing field value'],
    ['m v= 1', 'missing field value'],
    ['m v=,w=1', 'missing field value'],
    ['m v="a', 'unbalanced quotes'],
    ['m v=x', 'invalid boolean'],
    ['m v=tRUE', 'invalid boolean'],
    ['m v=+1', 'invalid boolean'],
    ['m v=1x', 'invalid number'],
    ['m v=1.1.1', 'invalid number'],
    ['m v=-', 'invalid number'],
    ['m v=.', 'invalid number'],
    ['m v=NaN', 'invalid number'],
    ['m v=nan', 'invalid number'],
    ['m v=1i5', 'invalid number'],
    ['m v=1.5i', 'invalid number'],
    ['m v=-1u', 'invalid number'],
    ['m v=1-e5', 'invalid number'],
    ['m v=1e', 'invalid float'],
    ['m v=-e', 'invalid float'],
    ['m v=1e999', 'invalid float'],
    ['m v=1e5.5', 'invalid float'],
    [
      'm v=9223372036854775808i',
      'unable to parse integer 9223372036854775808: strconv.ParseInt: parsing "9223372036854775808": value out of range',
    ],
    [
      'm v=18446744073709551616u',
      'unable to parse unsigned 18446744073709551616: strconv.ParseUint: parsing "18446744073709551616": value out of range',
    ],
    ['m v=1 x', 'bad timestamp'],
    ['m v=1 1.5', 'bad timestamp'],
    ['m v=1 1 2', 'point is invalid'],
    ['m v=1 9223372036854775808', 'strconv.ParseInt: parsing "9223372036854775808": value out of range'],
    ['m v=1 9223372036854775807', 'time outside range -9223372036854775806 - 9223372036854775806'],
    ['m v=1\r', 'invalid number'],
  ])('%s', (line, message) => {
    const batch = parse(`ok v=1 1\n${line}`)
    expect(batch.errors).toEqual([{ line: 2, text: line, message }])
    expect(batch.pointCount).toBe(1)
  })

  test('a key longer than 65535 bytes', () => {
    const batch = parse(`m,t=${'x'.repeat(65_540)} v=1`)
    expect(batch.errors[0]?.message).toBe('max key length exceeded: 65544 > 65535')
  })

  test('bytes that are no UTF-8 spoil their own line only', () => {
    const body = Buffer.concat([
      Buffer.from('m v=1 1\nm,t='),
      Buffer.of(0xff),
      Buffer.from(' v=1 1\nm v=2 2'),
    ])
    const batch = parseLines(body, 'ns', nowNs)
    expect(batch.errors.map(({ line, message }) => [line, message])).toEqual([[2, 'invalid UTF-8']])
    expect(batch.pointCount).toBe(2)
  })

  test('the tag time and points of nothing but time are well-formed and never stored', () => {
    const batch = parse('m,time=1 v=1\nm time=1\nm v=1')
    expect(batch.errors).toEqual([])
    expect(batch.rejections).toEqual([
      { message: 'invalid tag key: input tag "time" on measurement "m" is invalid', dropped: 1 },
      { message: 'invalid field name: input field "time" on measurement "m" is invalid', dropped: 1 },
    ])
    expect(batch.pointCount).toBe(1)
  })
})

describe('what a body may cost', () => {
  test('a line of 4 MiB is kept, one byte more is an error of that line, and the others are kept', () => {
    const line = (length: number): string => `m s="${'x'.repeat(length - 'm s=""'.length)}"`
    const batch = parse(`${line(4_194_304)}\n${line(4_194_305)}\nm s="" 1`)
    expect(batch.pointCount).toBe(2)
    expect(batch.errors.map(({ line: number, message }) => [number, message])).toEqual([
      [2, 'line too long: 4194305 bytes, at most 4194304'],
    ])
  })

  const length = 400_000
  const nines = '9'.repeat(length)
  test.each([
    ['integer', `m v=${nines}i`, /^unable to parse integer 9{1024}….*value out of range$/],
    ['unsigned integer', `m v=${nines}u`, /^unable to parse unsigned 9{1024}….*value out of range$/],
    ['float', `m v=${nines}`, /^invalid float$/],
    ['float with an exponent', `m v=${nines}e5`, /^invalid float$/],
    ['many points', `m v=${'9.'.repeat(length / 2)}x`, /^invalid number$/],
    ['many exponents', `m v=1${'e-1'.repeat(length / 3)}`, /^invalid float$/],
    ['timestamp', `m v=1 ${nines}`, /^strconv.ParseInt: parsing "9{1024}…": value out of range$/],
  ])('a number of hundreds of thousands of digits takes no time: %s', (_, line, message) => {
    const costMs = processorTime()
    const batch = parse(line)
    expect(costMs()).toBeLessThan(1_000)
    expect(batch.errors[0]?.message).toMatch(message)
    expect(batch.errors[0]!.text.length).toBeLessThanOrEqual(1025)
    expect(batch.errors[0]!.text).toBe(`${line.slice(0, 1024)}…`)
  })

  test('leading zeros do not put a number out of range', () => {
    const zeros = '0'.repeat(length)
    const [table] = parse(`m i=-${zeros}5i,u=${zeros}18446744073709551615u,f=${zeros}.5 -${zeros}7`).tables
    expect(pointsOf(table!)).toEqual([
      expect.objectContaining({ timeNs: -7n, fields: { i: -5n, u: 18446744073709551615n, f: 0.5 } }),
    ])
  })

  test('bad lines cost no more where a measurement has many fields', () => {
    const costMs = (fieldCount: number) => {
      const fields = Array.from({ length: fieldCount }, (_, index) => `f${index}=1`).join()
      const parsedMs = processorTime()
      const batch = parse(`m ${fields} 1\n${'m f0=1,x\n'.repeat(200_000)}`)
      expect(batch).toMatchObject({ pointCount: 1, errorCount: 200_000 })
      return parsedMs()
    }
    costMs(1)
    expect(costMs(4_000)).toBeLessThan(10 * costMs(1))
  })
})

test('whatever bytes come, every line is a point, an error or nothing, and nothing is thrown', () => {
  const piece = fc.constantFrom(
    'm',
    ',',
    ' ',
    '=',
    '\\',
    '"',
    '1',
    'i',
    't',
    'time',
    '\n',
    '#',
    'é',
    '.',
    '-',
    'e',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const batch = parse(pieces.join(''))
      const rejected = batch.rejections.reduce((sum, { dropped }) => sum + dropped, 0)
      expect(batch.pointCount + batch.errorCount + rejected).toBeLessThanOrEqual(
        pieces.filter((each) => each === '\n').length + 1,
      )
      for (const table of batch.tables)
        for (const point of pointsOf(table)) expect(Object.keys(point.fields)).not.toEqual([])
    }),
    tries(2_000),
  )
})
