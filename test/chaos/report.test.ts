import { expect, test } from 'vitest'
import type { Tenant } from '../support/tenant.ts'
import { openAccounts } from './account.ts'
import type { Attempt } from './recovery.ts'
import { recoveries, reportOf, type Run } from './report.ts'

// Promise: the table tells what happened: each fault by whom it was noticed, and a recovery that never came as such.

const attempts = (...pairs: readonly (readonly [number, boolean])[]): Attempt[] =>
  pairs.map(([startedMs, ok]) => ({ startedMs, endedMs: startedMs + 100, ok }))

function run(): Run {
  const accounts = openAccounts(
    ['Marketing', 'Engineering'].map((organization) => ({
      tenant: { organization } as Tenant,
      database: 'd',
    })),
    2,
  )
  const [marketing, engineering] = accounts
  marketing!.ledgers[0]!.take(30)
  marketing!.ledgers[0]!.acknowledge([0, 1])
  marketing!.ledgers[1]!.take(5)
  marketing!.retried = 4
  marketing!.queries.push(...attempts([1_000, false], [2_000, true], [7_000, true]))
  engineering!.queries.push(...attempts([1_000, true], [7_000, false], [9_000, true]))
  return {
    seed: 5,
    accounts,
    struck: [
      { kind: 'storage node killed', tenant: 0, atMs: 1_000 },
      { kind: 'gateway killed', tenant: 0, atMs: 6_500 },
      { kind: 'watches cut', tenant: 1, atMs: 12_000 },
    ],
    changes: attempts([11_000, true]),
    wellAfterMs: 4_250,
    revoked: 7,
    revived: [],
  }
}

test('a recovery is that of whoever noticed the fault, and of gateways that of the last tenant', () => {
  expect(recoveries(run())).toEqual([1_100, 2_600, null])
})

test('the whole table', () => {
  expect(reportOf(run())).toBe(
    [
      'chaos with HOLDFAST_CHAOS_SEED=5: 3 faults, all well 4.3 s after the last',
      'tokens revoked meanwhile: 7, of which worked again: 0',
      '',
      'fault                times  slowest recovery',
      'gateway killed           1             2.6 s',
      'storage node killed      1             1.1 s',
      'watches cut              1             never',
      '',
      'tenant       points sent  acknowledged  retries  given up  answers  refused',
      'Marketing             35             2        4         0        2        1',
      'Engineering            0             0        0         0        2        1',
    ].join('\n'),
  )
})
