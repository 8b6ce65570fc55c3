import { array, assert, integer, property, tuple } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { contains, formatRange, parseAddress, parseBlock, union, without, type Range } from './addresses.ts'
import { tries } from '../../test/support/tries.ts'

const format = (ranges: readonly Range[]) => ranges.map(formatRange)
const block = (text: string) => parseBlock(text)!

describe('a block of addresses is exactly what its text says', () => {
  test.each([
    ['10.244.0.0/16', '10.244.0.0-10.244.255.255'],
    ['10.1.2.3/32', '10.1.2.3'],
    ['10.1.2.3/30', '10.1.2.0-10.1.2.3'],
    ['0.0.0.0/0', '0.0.0.0-255.255.255.255'],
    ['255.255.255.255/32', '255.255.255.255'],
  ])('%s is %s', (text, range) => {
    expect(formatRange(block(text))).toBe(range)
  })

  test.each([
    '',
    '10.0.0.0',
    '10.0.0.0/33',
    '10.0.0.256/8',
    '10.0.0/8',
    'fd00::/8',
    '10.0.0.0/-1',
    ' 10.0.0.0/8',
  ])('"%s" is none', (text) => {
    expect(parseBlock(text)).toBeNull()
  })

  test.each(['', '10.0.0', '10.0.0.300', '::1', '1.2.3.4.5'])('"%s" is no address', (text) => {
    expect(parseAddress(text)).toBeNull()
  })
})

describe('sets of addresses lose and gain none', () => {
  test('neighbours and overlaps become one', () => {
    const ranges = [
      '10.0.0.2/32',
      '10.0.0.1/32',
      '10.0.0.0/32',
      '10.0.1.0/24',
      '10.0.1.128/25',
      '10.0.3.0/24',
    ]
    expect(format(union(ranges.map(block)))).toEqual([
      '10.0.0.0-10.0.0.2',
      '10.0.1.0-10.0.1.255',
      '10.0.3.0-10.0.3.255',
    ])
  })

  test('a hole at the start, in the middle, at the end, over everything and outside', () => {
    const holes = (...texts: string[]) => format(without(block('10.0.0.0/24'), texts.map(block)))
    expect(holes('10.0.0.0/25')).toEqual(['10.0.0.128-10.0.0.255'])
    expect(holes('10.0.0.4/30')).toEqual(['10.0.0.0-10.0.0.3', '10.0.0.8-10.0.0.255'])
    expect(holes('10.0.0.255/32', '10.0.0.0/32')).toEqual(['10.0.0.1-10.0.0.254'])
    expect(holes('10.0.0.0/8')).toEqual([])
    expect(holes('10.0.1.0/24', '9.0.0.0/8')).toEqual(['10.0.0.0-10.0.0.255'])
  })

  test('whatever the ranges, membership is what each range alone says', () => {
    const range = tuple(integer({ min: 0, max: 40 }), integer({ min: 0, max: 12 })).map(
      ([first, length]) => ({ first, last: first + length }),
    )
    assert(
      property(range, array(range, { maxLength: 6 }), (whole, some) => {
        for (let address = 0; address < 60; address++) {
          const inSome = some.some(({ first, last }) => first <= address && address <= last)
          const inWhole = whole.first <= address && address <= whole.last
          expect(contains(union(some), address)).toBe(inSome)
          expect(contains(without(whole, some), address)).toBe(inWhole && !inSome)
        }
      }),
      tries(),
    )
  })
})
