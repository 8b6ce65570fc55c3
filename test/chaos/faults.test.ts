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

test('every round has every kind once, in an order of its own; one of three restarts the API server', () => {
  const gentle = faultKinds.filter((kind) => kind !== 'API server restarted')
  const many = first(51, 7)
  const rounds = [many.slice(0, 9), many.slice(9, 17), many.slice(17, 25), many.slice(25, 34)]
  const kinds = rounds.map((round) => round.map(({ kind }) => kind).toSorted())
  const wanted = [faultKinds, gentle, gentle, faultKinds].map((list) => [...list].toSorted())
  expect(kinds).toEqual(wanted)
  const orders = new Set(rounds.map((round) => round.map(({ kind }) => kind).join()))
  expect(orders.size).toBe(4)
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
