import { describe, expect, test } from 'vitest'
import { containsRange, parseRange } from './cidr.ts'

// A range that is read wrongly opens a storage node to the wrong addresses.

describe('parseRange', () => {
  test.each([
    ['10.0.0.0/8', 4, 0x0a000000n],
    ['255.255.255.255/32', 4, 0xffffffffn],
    ['::/0', 6, 0n],
    ['::1/128', 6, 1n],
    ['2001:db8::/32', 6, 0x20010db8n << 96n],
    ['1:2:3:4:5:6:7:8/128', 6, 0x00010002000300040005000600070008n],
    ['fe80::1:2/64', 6, (0xfe80n << 112n) | 0x10002n],
  ])('%s', (text, family, address) => expect(parseRange(text)).toMatchObject({ family, address }))

  test.each([
    '10.0.0.0',
    '10.0.0.0/33',
    '10.0.0/8',
    '10.0.0.256/8',
    '010.0.0.0/8',
    '10.0.0.0/08',
    '::/129',
    '1:2:3:4:5:6:7/64',
    '1:2:3:4:5:6:7::8/64',
    '1::2::3/64',
    ':1/64',
    'fe80::1%eth0/64',
    '12345::/16',
    '/8',
    '',
  ])('"%s" is none', (text) => expect(parseRange(text)).toBeNull())
})

test.each([
  ['10.0.0.0/8', '10.255.0.0/16', true],
  ['10.0.0.0/8', '11.0.0.0/16', false],
  ['10.1.0.0/16', '10.0.0.0/8', false],
  ['0.0.0.0/0', '192.0.2.0/24', true],
  ['::/0', '10.0.0.0/8', false],
  ['2001:db8::/32', '2001:db8:ffff::/48', true],
  ['2001:db8::/32', '2001:db9::/48', false],
])('%s contains %s: %s', (outer, inner, contained) =>
  expect(containsRange(parseRange(outer)!, parseRange(inner)!)).toBe(contained),
)
