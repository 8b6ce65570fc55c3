import { expect, test } from 'vitest'
import type { Tenant } from '../support/tenant.ts'
import { openAccounts, type Account } from './account.ts'
import { questionOf, reachProblem, rowsOf, strangersIn } from './questions.ts'

// Promise: an answer that lacks what was acknowledged, or has anything of another tenant, does not pass for a good one.

const nobody = {} as Tenant
const accounts = (): readonly [Account, Account] => {
  const [own, other] = openAccounts(
    [
      { tenant: nobody, database: 'a' },
      { tenant: nobody, database: 'b' },
    ],
    1,
  )
  own!.ledgers[0]!.take(5)
  own!.ledgers[0]!.acknowledge([0, 1])
  return [own!, other!]
}

test.each<[number, readonly (readonly unknown[])[], string | null]>([
  [0, [], '2 points were acknowledged, 0 are there'],
  [0, [[0, 1]], '2 points were acknowledged, 1 are there'],
  [0, [[0, 2]], null],
  [0, [[0, 5]], null],
  [0, [[0, 6]], '5 points were sent, 6 are there'],
  [1, [], 'nothing is there'],
  [1, [[0, 1, 'OWN']], null],
  [
    1,
    [
      [0, 1, 'OWN'],
      [0, 1, 'x'],
    ],
    'points of others: x',
  ],
  [2, [['owner', 'OWN']], null],
  [2, [['owner', 'y']], 'points of others: y'],
])('turn %i, rows %j: %s', (turn, rows, expected) => {
  const [own] = accounts()
  const told = rows.map((row) => row.map((cell) => (cell === 'OWN' ? own.owner : cell)))
  expect(questionOf(own, turn).judge(told)).toBe(expected)
})

test('what is acknowledged while a question is under way need not be in its answer', () => {
  const [own] = accounts()
  const question = questionOf(own, 0)
  own.ledgers[0]!.acknowledge([2, 3])
  expect(question.judge([[0, 2]])).toBe(null)
})

test.each([
  [200, '{"results":[{"series":[{"values":[[1,2]]},{"values":[[3,4]]}]}]}', [[1, 2], [3, 4]]], // oxfmt-ignore
  [200, '{"results":[{"statement_id":0}]}', []],
  [200, '{"results":[{"error":"stopping"}]}', null],
  [200, '{"results":[{"error":"database not found: a"}]}', '{"results":[{"error":"database not found: a"}]}'],
  [503, 'unavailable', null],
  [401, 'no', '401 no'],
  [404, 'no', '404 no'],
])('rows of %i %s', (status, body, expected) => {
  expect(rowsOf({ status, body })).toEqual(expected)
})

test.each([
  [401, 'unauthorized', true],
  [404, 'not found', true],
  [503, 'unavailable', true],
  [200, '{"results":[{"error":"database not found: b"}]}', true],
  [204, '', false],
  [200, '{"results":[{"statement_id":0}]}', false],
  [200, '{"results":[{"series":[],"error":"x"}]}', false],
])('a reach for another tenant that is answered %i %s', (status, body, isFine) => {
  expect(reachProblem({ status, body })).toBe(isFine ? null : `${status} ${body}`)
})

test("another tenant's word is found wherever it stands in an answer", () => {
  const [own, other] = accounts()
  const all = [own, other]
  expect(strangersIn(`{"error":"${own.owner}"}`, own, all)).toEqual([])
  expect(strangersIn(`{"error":"a${other.owner}b"}`, own, all)).toEqual([other.owner])
})
