import { describe, expect, test } from 'vitest'
import { database } from '../../test/golden/desired/input.ts'
import { databaseIdIn, droppedId, holderOf, holdingsWith, type Holding } from './holdings.ts'

// A Database takes over what is kept under its name and nobody else's data, whatever is deleted and made again around
// it, and what it has it keeps.

const org = '0123456789abcdef'
const of = (name: string, uid: string, status?: object) => {
  const made = database(name)
  return { ...made, metadata: { ...made.metadata, uid }, ...(status && { status }) } as typeof made
}
const holders = (...databases: readonly ReturnType<typeof of>[]) => new Set(databases.map(holderOf))
const first = of('metrics', 'uid-1')
const again = of('metrics', 'uid-2')
const other = of('logs', 'uid-3')
const held = holdingsWith([], [first], holders(first), org)

describe('a Database', () => {
  test('that is the first of its name has the id that derives from it, and keeps it', () => {
    expect(held).toEqual([{ id: holderOf(first), name: 'metrics', holder: holderOf(first) }])
    expect(holdingsWith(held, [first, other], holders(first, other), org)[0]).toEqual(held[0])
  })

  test('made again takes over what is kept under its name', () => {
    const now = holdingsWith(held, [again, other], holders(again, other), org)
    expect(databaseIdIn(now, again)).toBe(holderOf(first))
    expect(databaseIdIn(now, other)).toBe(holderOf(other))
    expect(now).toHaveLength(2)
    expect(droppedId(now, again)).toBe(holderOf(first))
    // What it was made for has nothing left to be dropped.
    expect(droppedId(now, first)).toBeNull()
  })

  test('takes nothing of one that is there, or whose data is to be dropped', () => {
    const now = holdingsWith(held, [again], holders(first, again), org)
    expect(databaseIdIn(now, again)).toBe(holderOf(again))
    expect(droppedId(now, first)).toBe(holderOf(first))
  })

  test('of two that are kept under its name takes the newer', () => {
    const two = holdingsWith(held, [again], holders(first, again), org)
    const third = of('metrics', 'uid-4')
    expect(databaseIdIn(holdingsWith(two, [third], holders(third), org), third)).toBe(holderOf(again))
  })

  test('keeps what it had where the record was lost, in its own organization', () => {
    const id = 'a'.repeat(16)
    const known = (organizationId: string) => of('metrics', 'uid-5', { organizationId, databaseId: id })
    const here = known(org)
    expect(databaseIdIn(holdingsWith([], [here], holders(here), org), here)).toBe(id)
    const elsewhere = known('f'.repeat(16))
    expect(databaseIdIn(holdingsWith([], [elsewhere], holders(elsewhere), org), elsewhere)).toBe(
      holderOf(elsewhere),
    )
  })

  test('never has the id of another one', () => {
    const id = holderOf(first)
    const liar = of('logs', 'uid-6', { organizationId: org, databaseId: id })
    const now = holdingsWith(held, [first, liar], holders(first, liar), org)
    expect(new Set(now.map((holding: Holding) => holding.id)).size).toBe(2)
    expect(databaseIdIn(now, first)).toBe(id)
  })
})
