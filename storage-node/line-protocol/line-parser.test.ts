import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ParsedBatch } from './batch.ts'
import { LineParser, type LineSource } from './line-parser.ts'
import { parseLines } from './parse.ts'
import { processorTime } from '../../test/support/processor-time.ts'
import { tries } from '../../test/support/tries.ts'

/**
 * Promise: a body means the same however it is cut into pieces and sections, and whatever bodies the parser has seen
 * before it.
 */
const options = { precision: 'ns', nowNs: 7n } as const

/** The points in words, each with its number among those of its measurement. */
function meaningOf(batches: readonly ParsedBatch[]) {
  const points: string[] = []
  for (const { tables } of batches) {
    for (const table of tables) {
      for (let row = 0; row < table.rowCount; row++) {
        const fields = table.columns
          .filter(({ present }) => present === null || present[row] === 1)
          .map(
            ({ name, type, values }) => `${name}:${type}=${Object.is(values[row], -0) ? '-0' : values[row]}`,
          )
          .sort()
        points.push(`${table.series[table.seriesOfRow[row]!]!.key} ${fields.join(',')} ${table.times[row]}`)
      }
    }
  }
  return {
    points: points.sort(),
    errors: batches.flatMap(({ errors }) => errors),
    rejected: batches.flatMap(({ rejections }) => rejections).reduce((sum, { dropped }) => sum + dropped, 0),
  }
}

const series = fc.constantFrom('m', 'm,a=1', 'm,a=1,b=2', 'm,b=2,a=1', 'n\\ x,t=é', 'n,time=1', 'm,a=\\\n1')
const value = fc.oneof(
  fc.constantFrom(
    '1',
    '-0',
    '0.1',
    '.5',
    '5.',
    '-7i',
    '12u',
    't',
    '"s"',
    '"a\nb"',
    '1e3',
    '-',
    '.',
    '',
    '1i2',
  ),
  fc.constantFrom(
    '123456789012345',
    '1234567890123456',
    '123456789012345i',
    '9007199254740993i',
    '0.300000000000000',
  ),
)
const fields = fc
  .array(fc.tuple(fc.constantFrom('f', 'g', 'f\\=', 'time', 'usage_user'), value), {
    minLength: 1,
    maxLength: 3,
  })
  .map((pairs) => pairs.map(([key, text]) => `${key}=${text}`).join(','))
const time = fc.constantFrom(
  ' 1',
  ' 1700000000000000000',
  ' -5',
  '',
  ' 9223372036854775807',
  '  3',
  ' 3 ',
  ' 3\r',
  ' x',
)
const line = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(series, fields, time).map(([key, text, at]) => `${key} ${text}${at}`) },
  { weight: 1, arbitrary: fc.constantFrom('# no', '', 'm', 'm,', ' m f=1 1', 'm f=1,f=2 1', 'm f=1,f=2i 1') },
)
const body = fc.array(line, { maxLength: 30 }).map((lines) => lines.join('\n'))

function piecesOf(text: string, cuts: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text)
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)
  return [...places, bytes.length].map((end, index) => bytes.subarray(places[index - 1] ?? 0, end))
}

/** A piece comes each time that the parser looks for more. */
const arriving = (pieces: readonly Buffer[]): LineSource => {
  let next = 0
  return {
    get isWhole() {
      return next >= pieces.length
    },
    take: () => pieces.slice(next, ++next),
  }
}

const whole = (pieces: readonly Buffer[]): LineSource => {
  const left = [...pieces]
  return { isWhole: true, take: () => left.splice(0) }
}

/** Each line on its own, by a parser that has seen nothing. */
const oneByOne = (text: string): ParsedBatch =>
  parseLines(Buffer.from(text), options.precision, options.nowNs)

describe('cut anywhere, after other bodies', () => {
  const parser = new LineParser(8)

  test.each([64, 256])('sections of %d bytes', (sectionBytes) => {
    const small = new LineParser(8, sectionBytes)
    fc.assert(
      fc.property(body, fc.array(fc.nat(), { maxLength: 6 }), (text, cuts) => {
        const expected = meaningOf([oneByOne(text)])
        expect(meaningOf([...small.parse(arriving(piecesOf(text, cuts)), options)])).toEqual(expected)
        for (const source of [whole, arriving])
          expect(meaningOf([...parser.parse(source(piecesOf(text, cuts)), options)])).toEqual(expected)
      }),
      tries(1_000),
    )
  })

  test('lines like the one before mean what they mean alone', () => {
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 8 }), (lines) => {
        const bodies = lines.flatMap((each) => [each, each])
        const alone = meaningOf(bodies.map(oneByOne))
        const together = meaningOf([oneByOne(bodies.join('\n'))])
        // A quote that is not closed takes the lines after it with it.
        fc.pre(together.errors.every(({ message }) => message !== 'unbalanced quotes'))
        expect(together.points).toEqual(alone.points)
      }),
      tries(1_000),
    )
  })
})

test('a line that is larger than a section', () => {
  const parser = new LineParser(8, 64)
  const text = `m f=1 1\nm s="${'x'.repeat(1_000)}",f=2 2\nm f=3 3`
  const { points, errors } = meaningOf([...parser.parse(arriving(piecesOf(text, [10, 100, 500])), options)])
  expect(errors).toEqual([])
  expect(points).toHaveLength(3)
})

test('others have their turn between two looks at a line that is larger than a section', () => {
  const body = Buffer.from(`a b="${'\n'.repeat(50_000)}`)
  const batches = [...new LineParser(10, 1_000).parse(whole([body]), options)]
  expect(batches.length).toBeGreaterThan(5)
  expect(meaningOf(batches).errors).toMatchObject([{ line: 1 }])
})

test('an empty body has no points', () => {
  expect(meaningOf([...new LineParser(8).parse(whole([]), options)])).toEqual({
    points: [],
    errors: [],
    rejected: 0,
  })
})

describe('many different fields', () => {
  test.each([
    ['in one measurement', () => 'm'],
    ['in several measurements', (index: number) => `m${index % 4}`],
  ])('%s: all are kept, in batches that have room for the empty places between them', (_, name) => {
    const text = Array.from({ length: 6_000 }, (_, index) => `${name(index)} f${index}=1 1`).join('\n')
    const batches = [...new LineParser(8).parse(whole(piecesOf(text, [1_000, 50_000])), options)]
    expect(batches.length).toBeGreaterThan(2)
    for (const { tables } of batches) {
      const cells = tables.reduce((sum, { columns, rowCount }) => sum + columns.length * rowCount, 0)
      expect(cells).toBeLessThanOrEqual(64 * text.length)
    }
    const { points, errors } = meaningOf(batches)
    expect(errors).toEqual([])
    expect(points).toHaveLength(6_000)
  })

  test('a line with more of them than may be is refused, and those after it are not', () => {
    const fields = Array.from({ length: 4_097 }, (_, index) => `f${index}=1`).join()
    const { points, errors } = meaningOf([
      ...new LineParser(8).parse(whole(piecesOf(`m f0=1 1\nm ${fields} 2\nm f0=3 3`, [])), options),
    ])
    expect(points).toHaveLength(2)
    expect(errors).toEqual([
      { line: 2, text: expect.any(String), message: expect.stringMatching(/^too many different fields/) },
    ])
  })
})

describe('what was parsed before takes no room from a body', () => {
  const wide = (name: string, fields: number, rows: number): string =>
    Array.from(
      { length: rows },
      (_, row) => `${name} ${Array.from({ length: fields }, (_, k) => `f${k}=${row}`).join()} ${row}`,
    ).join('\n')
  const parsed = (parser: LineParser, text: string) => [...parser.parse(whole(piecesOf(text, [])), options)]

  test('many rows of one field, after 64 fields', () => {
    const narrow = wide('m', 1, 60_000)
    const parser = new LineParser(1_000)
    parsed(parser, wide('m', 64, 1_000))
    expect(parsed(parser, narrow)).toHaveLength(parsed(new LineParser(1_000), narrow).length)
  })

  test('a row of each of many measurements, and then of new ones, after all the room was taken by measurements', () => {
    const names = Array.from({ length: 300 }, (_, index) => `m${index}`)
    const narrow = [...names, ...names.map((name) => `n${name}`)].map((name) => `${name} f0=1 1`).join('\n')
    const parser = new LineParser(100_000)
    for (const [index, name] of names.entries())
      parsed(parser, wide(name, 64, Math.floor(1_000 * 0.98 ** index)))
    expect(parsed(parser, narrow)).toHaveLength(1)
  })

  const scattered = (name: string, fields: number, rows: number): string =>
    Array.from({ length: rows }, (_, row) => `${name} f${row % fields}=${row} ${row}`).join('\n')

  test('whatever it was: the same points, in no more batches', () => {
    const name = fc.constantFrom('m', 'n')
    const table = fc.oneof(
      fc.tuple(name, fc.constantFrom(1, 3, 40, 64, 65), fc.constantFrom(1, 2, 70)).map((t) => wide(...t)),
      fc.tuple(name, fc.constantFrom(3, 64, 900), fc.constantFrom(1, 300, 1_100)).map((t) => scattered(...t)),
      name.map((each) => wide(each, 64, 200)),
      name.map((each) => wide(each, 1, 40_000)),
    )
    const text = fc.array(table, { minLength: 1, maxLength: 2 }).map((tables) => tables.join('\n'))
    fc.assert(
      fc.property(fc.array(text, { maxLength: 2 }), text, (before, body) => {
        const parser = new LineParser(1_000)
        for (const each of before) parsed(parser, each)
        const fresh = parsed(new LineParser(1_000), body)
        const after = parsed(parser, body)
        expect(after.length).toBeLessThanOrEqual(fresh.length)
        expect(meaningOf(after)).toEqual(meaningOf(fresh))
      }),
      tries(12),
    )
  })
})

test('bad lines with many fields take no place from a good one after them', () => {
  const bad = Array.from({ length: 60_000 }, (_, index) => `m${index % 20} f${index}=1,x`)
  const { points, errors } = meaningOf([
    ...new LineParser(1_000).parse(whole(piecesOf([...bad, 'm last=1 1'].join('\n'), [])), options),
  ])
  expect(points).toEqual(['["m"] last:float=1 1'])
  expect(new Set(errors.map(({ message }) => message))).toEqual(new Set(['invalid field format']))
})

test('more series than are remembered', () => {
  const text = Array.from({ length: 1_000 }, (_, index) => `m${index % 7},a=${index} f=1 1`).join('\n')
  const { points, errors } = meaningOf([
    ...new LineParser(8).parse(whole(piecesOf(`m s="${'x'.repeat(90)}"\n${text}`, [])), options),
  ])
  expect(errors).toEqual([])
  expect(new Set(points).size).toBe(1_001)
})

test('a body in chunks of a byte', () => {
  const text = Array.from({ length: 20_000 }, (_, index) => `m f=1 ${index}`).join('\n')
  const bytes = Buffer.from(text)
  const costMs = processorTime()
  const { points } = meaningOf([
    ...new LineParser(8).parse(
      whole(Array.from({ length: bytes.length }, (_, at) => bytes.subarray(at, at + 1))),
      options,
    ),
  ])
  expect(points).toHaveLength(20_000)
  expect(costMs()).toBeLessThan(5_000)
})
