import { expect, test } from 'vitest'
import { formatTime, maxTimeNs, minTimeNs } from './time.ts'
import { Zone } from './zone.ts'

// Attacks the promise that a time is written to the nanosecond, over all that int64 holds.

test('agrees with Date for every day from the lowest to the highest time', () => {
  const dayNs = 86_400_000_000_000n
  for (let ns = (minTimeNs / dayNs) * dayNs; ns < maxTimeNs; ns += dayNs * 7n + 12_345_000_000_000n) {
    expect(formatTime(ns)).toBe(new Date(Number(ns / 1_000_000n)).toISOString().replace('.000Z', 'Z'))
  }
})

test.each([
  [0n, '1970-01-01T00:00:00Z'],
  [1n, '1970-01-01T00:00:00.000000001Z'],
  [-1n, '1969-12-31T23:59:59.999999999Z'],
  [1_500_000_000n, '1970-01-01T00:00:01.5Z'],
  [minTimeNs, '1677-09-21T00:12:43.145224194Z'],
  [maxTimeNs, '2262-04-11T23:47:16.854775806Z'],
  [951_782_400_000_000_000n, '2000-02-29T00:00:00Z'],
])('%s', (ns, text) => expect(formatTime(ns)).toBe(text))

test.each([
  ['Europe/Rome', '2024-01-01T01:00:00+01:00'],
  ['America/New_York', '2023-12-31T19:00:00-05:00'],
  ['Asia/Kolkata', '2024-01-01T05:30:00+05:30'],
  ['UTC', '2024-01-01T00:00:00Z'],
])('in %s', (name, text) => {
  const ns = 1_704_067_200_000_000_000n
  expect(formatTime(ns, Zone.find(name)!.offsetNs(ns))).toBe(text)
})

test.each(['Nowhere/Town', '+01:00', ''])('%s is no zone', (name) => expect(Zone.find(name)).toBeNull())
