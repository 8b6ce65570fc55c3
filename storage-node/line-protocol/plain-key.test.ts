import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { scanKey, splitKey } from './key.ts'
import { plainKey } from './plain-key.ts'
import { seriesKey } from './series-key.ts'
import { tries } from '../../test/support/tries.ts'

/** Promise: the short way to a series key leads to the same key, or says that it does not know. */

function bothWays(text: string) {
  const body = Buffer.from(`x${text} f=1`)
  const scan = scanKey(body, 1, body.length)
  if ('message' in scan) return null
  const name = splitKey(body.toString('utf8', 1, scan.end))
  return { plain: plainKey(body, 1, scan.end), name }
}

test.each([
  ['cpu', '["cpu"]'],
  ['cpu,host=a', '["cpu","host","a"]'],
  ['cpu,a=1,b=2,b1=~!', '["cpu","a","1","b","2","b1","~!"]'],
  ["c'p u".replace(' ', '_'), '["c\'p_u"]'],
])('%s', (text, key) => {
  expect(bothWays(text)?.plain).toEqual({ key, measurement: text.split(',')[0] })
})

test.each([
  ['tags out of order', 'cpu,b=1,a=2'],
  ['a tag twice', 'cpu,a=1,a=2'],
  ['the tag time', 'cpu,a=1,time=2'],
  ['an equals sign in the measurement', 'c=u,a=1'],
  ['an escape', 'cpu,a=1\\,2'],
  ['a quote', 'cpu,a="1'],
  ['a control character', 'cpu,a=\t1'],
  ['a letter beyond ASCII', 'cpu,a=é'],
  ['a long key', `cpu,a=${'x'.repeat(2_000)}`],
])('%s is for the long way', (_, text) => {
  expect(bothWays(text)?.plain).toBeNull()
})

describe('any key', () => {
  const word = fc.string({
    unit: fc.constantFrom('a', 'b', 'time', '=', '"', '\\', 'é', '\u0001', '~'),
    maxLength: 3,
  })
  test('means the same both ways', () => {
    let plain = 0
    fc.assert(
      fc.property(word, fc.array(fc.tuple(word, word), { maxLength: 4 }), (measurement, tags) => {
        const ways = bothWays([measurement, ...tags.map(([key, value]) => `${key}=${value}`)].join(','))
        if (!ways?.plain) return
        plain++
        if (typeof ways.name === 'string') throw new Error(ways.name)
        expect(ways.plain.key).toBe(seriesKey(ways.name.measurement, ways.name.tags))
        expect(ways.plain.measurement).toBe(ways.name.measurement)
      }),
      tries(5_000),
    )
    expect(plain).toBeGreaterThan(50)
  })
})
