import { expect, test } from 'vitest'
import { faultKinds, faults, type Fault } from './faults.ts'

// Promise: a seed says what happens, and no run, however short, leaves a kind of fault out.

function first(count: number, seed: number): readonly Fault[] {
  const endless = faults(seed, faultKinds, 3)
  return Array.from({ length: count }, () => endless.next().value as Fault)
}

test('the same seed gives the same faults, another one others', () => {
  expect(first(40, 7)).toEqual(first(40, 7))
  expect(first(40, 7)).not.toEqual(first(40, 8))
})

test('every round has every kind once, in an order of its own', () => {
  const rounds = [0, 1, 2].map((round) => first(27, 7).slice(9 * round, 9 * round + 9))
  for (const round of rounds) expect(round.map(({ kind }) => kind).toSorted()).toEqual(faultKinds.toSorted())
  const orders = new Set(rounds.map((round) => round.map(({ kind }) => kind).join()))
  expect(orders.size).toBe(3)
})

test.each(['operator', 'gateway', 'storage node'])(
  'in each round a %s is killed, then its pod deleted',
  (of) => {
    const own = first(9 * 50, 7).filter(({ kind }) => kind === `${of} killed` || kind === `${of} pod deleted`)
    const kills = own.filter((_fault, index) => index % 2 === 0)
    const deletions = own.filter((_fault, index) => index % 2 === 1)
    expect(new Set(kills.map(({ kind }) => kind))).toEqual(new Set([`${of} killed`]))
    expect(new Set(deletions.map(({ kind }) => kind))).toEqual(new Set([`${of} pod deleted`]))
    expect(deletions.map(({ tenant }) => tenant)).toEqual(kills.map(({ tenant }) => tenant))
  },
)

test('all tenants are hit, and pauses differ', () => {
  const many = first(100, 7)
  expect(new Set(many.map(({ tenant }) => tenant))).toEqual(new Set([0, 1, 2]))
  expect(Math.min(...many.map(({ waitMs }) => waitMs))).toBeLessThan(2_000)
  expect(Math.max(...many.map(({ waitMs }) => waitMs))).toBeGreaterThan(8_000)
})
