import { expect, test } from 'vitest'
import { recoveryMs, type Attempt } from './recovery.ts'

// Promise: the time that a fault took away is neither hidden by a success before it shows, nor lengthened by later faults.

/** `10 ok 12` was started at 10 and succeeded at 12. */
const attempts = (...texts: readonly string[]): readonly Attempt[] =>
  texts.map((text) => {
    const [started, outcome, ended] = text.split(' ')
    return { startedMs: Number(started), endedMs: Number(ended), ok: outcome === 'ok' }
  })

test.each<[string, readonly string[], number | null]>([
  ['nothing was noticed', ['9 ok 10', '11 ok 12', '13 ok 14'], 2],
  ['a failure at once', ['10 no 11', '12 ok 15'], 5],
  ['a failure that shows late', ['10 ok 11', '12 no 13', '14 no 15', '16 ok 18', '19 ok 20'], 8],
  ['failures of the next fault', ['10 no 11', '12 ok 13', '50 no 51', '60 ok 61'], 3],
  ['a next fault before anything was well', ['10 no 11', '50 no 51', '60 ok 61'], 51],
  ['what was started before', ['9 ok 30', '31 ok 32'], 22],
  ['nothing succeeds any more', ['10 no 11', '12 no 13'], null],
  ['nothing was tried', [], null],
])('%s', (_what, texts, expected) => {
  expect(recoveryMs(attempts(...texts), 10, 40)).toBe(expected)
})
