import { describe, expect, test } from 'vitest'
import { formatDuration, formatGoDuration, parseDurationLiteral } from './duration.ts'

// Attacks the promise that durations are read and written as InfluxDB 1.x does, to the nanosecond.

const hourNs = 3_600_000_000_000n

describe('parse', () => {
  test.each([
    ['1h30m', (hourNs * 3n) / 2n],
    ['10u', 10_000n],
    ['10µ', 10_000n],
    ['5ms7ns', 5_000_007n],
    ['2w', 336n * hourNs],
    ['-5m', -300_000_000_000n],
    ['1d', 24n * hourNs],
  ])('%s', (text, ns) => expect(parseDurationLiteral(text)).toBe(ns))

  test.each(['', '5', 's', '5x', '1h 2m', '5n', '9223372036854775808s'])('%s is none', (text) =>
    expect(() => parseDurationLiteral(text)).toThrow('invalid duration'),
  )

  test('what int64 cannot hold', () =>
    expect(() => parseDurationLiteral('99999999w')).toThrow('overflowed duration 99999999w'))
})

test.each([
  [0n, '0s', '0s'],
  [168n * hourNs, '1w', '168h0m0s'],
  [25n * hourNs, '25h', '25h0m0s'],
  [90_000_000_000n, '90s', '1m30s'],
  [1_500_000n, '1500u', '1.5ms'],
  [1_001n, '1001ns', '1.001µs'],
  [7n, '7ns', '7ns'],
  [3_600_000_000_500n, '3600000000500ns', '1h0m0.0000005s'],
])('%s nanoseconds', (ns, short, go) => {
  expect(formatDuration(ns)).toBe(short)
  expect(formatGoDuration(ns)).toBe(go)
})
