import { expect, test } from 'vitest'
import { Ledger, timeMsOf, type StoredPoint } from './ledger.ts'

// Promise: the checker finds a point that is lost, doubled, altered, moved, invented or another tenant's, and nothing else.

const owner = 'own'
const point = (sequence: number, other: Partial<StoredPoint> = {}): StoredPoint => ({
  timeMs: timeMsOf(sequence),
  sequence,
  said: owner,
  ...other,
})

/** Ten points sent, those from 0 to 5 acknowledged. */
function ledger(): Ledger {
  const made = new Ledger({ measurement: 'm', owner, writer: 'w0' })
  made.take(4)
  made.take(6)
  made.acknowledge([0, 1, 2])
  made.acknowledge([5, 4, 3, 3])
  return made
}
const stored = [0, 1, 2, 3, 4, 5].map((sequence) => point(sequence))

test('points are numbered from 0, each with a time of its own and the word of its tenant', () => {
  const made = new Ledger({ measurement: 'm', owner, writer: 'w0' })
  expect(made.take(2)).toEqual([
    'm,owner=own,writer=w0 sequence=0i,said="own" 1700000000000000000',
    'm,owner=own,writer=w0 sequence=1i,said="own" 1700000000001000000',
  ])
  expect(made.take(1)).toEqual(['m,owner=own,writer=w0 sequence=2i,said="own" 1700000000002000000'])
})

test('counts what was sent and what was acknowledged', () => {
  expect(ledger()).toMatchObject({ sent: 10, acknowledged: 6 })
})

test('finds nothing wrong where all that was acknowledged is there, whatever became of the rest', () => {
  const none = { lost: [], doubled: [], strange: [] }
  expect(ledger().check(stored)).toEqual(none)
  expect(ledger().check([...stored, point(7), point(9)])).toEqual(none)
})

test.each<[string, readonly StoredPoint[], object]>([
  ['lost', stored.slice(1), { lost: [0] }],
  ['all lost', [], { lost: [0, 1, 2, 5, 4, 3] }],
  ['doubled', [...stored, point(3)], { doubled: [3] }],
  ['doubled, and never acknowledged', [...stored, point(8), point(8)], { doubled: [8] }],
  ['never sent', [...stored, point(10)], { strange: [point(10)] }],
  ['no number', [...stored, point(1, { sequence: null })], { strange: [point(1, { sequence: null })] }],
  ['at another time', [...stored, point(6, { timeMs: 5 })], { strange: [point(6, { timeMs: 5 })] }],
  [
    "another tenant's",
    [...stored.slice(1), point(0, { said: 'other' })],
    { lost: [0], strange: [point(0, { said: 'other' })] },
  ],
])('finds a point that is %s', (_what, points, wrong) => {
  expect(ledger().check(points)).toEqual({ lost: [], doubled: [], strange: [], ...wrong })
})

test('what was never sent cannot be acknowledged', () => {
  expect(() => ledger().acknowledge([10])).toThrow('point 10 was acknowledged and never sent')
})
