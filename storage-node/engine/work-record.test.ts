import { expect, test } from 'vitest'
import { AppError } from '../../common/errors.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { processFailed, statementFailed } from '../query-process/client.ts'
import { WorkRecord } from './work-record.ts'

/** Promise: work that fails again and again is told with its reason and nobody's data, until it succeeds. */

const what = 'buffers cannot be put into files'
const ended = new AppError('unavailable', processFailed, 'the query process: it ended (SIGKILL)')

test('the third failure in a row is told with the time of the first, and a success takes it back', () => {
  const clock = new FakeClock()
  const record = new WorkRecord(clock, what)
  const startMs = clock.nowMs()
  for (const failures of [1, 2]) {
    record.failed(ended)
    clock.jump(5_000)
    expect([record.failuresInRow, record.trouble('flush')]).toEqual([failures, null])
  }
  record.failed(ended)
  expect(record.trouble('flush')).toEqual({
    work: 'flush',
    failures: 3,
    since: new Date(startMs).toISOString(),
    message: `${what}: the query process, which reads and writes files, ended`,
    refusesWrites: false,
  })
  record.succeeded()
  expect(record.trouble('flush')).toBe(null)
  expect(record).toMatchObject({ successes: 1, failures: 3, failuresInRow: 0 })
  expect(record.succeededS).toBe(clock.nowMs() / 1_000)
  record.failed(ended)
  record.failed(ended)
  expect(record.trouble('flush')).toBe(null)
})

test('writes are refused only where there was no room while it failed', () => {
  const record = new WorkRecord(new FakeClock(), what)
  record.noteNoRoom()
  for (let count = 0; count < 3; count++) record.failed(ended)
  expect(record.trouble('flush')).toMatchObject({ refusesWrites: false })
  record.noteNoRoom()
  expect(record.trouble('flush')).toMatchObject({ refusesWrites: true })
  record.nothingLeft()
  for (let count = 0; count < 3; count++) record.failed(ended)
  expect(record.trouble('flush')).toMatchObject({ failures: 3, refusesWrites: false })
})

const coded = (code: string) => Object.assign(new Error(`${code}: secret, write '/data/secret'`), { code })
const statement = (text: string) => new AppError('unavailable', statementFailed, `the query process: ${text}`)

test.each<[unknown, string]>([
  [ended, 'the query process, which reads and writes files, ended'],
  [coded('ENOSPC'), 'the disk is full'],
  [coded('EIO'), 'the disk answers EIO'],
  [statement('Out of Memory Error: could not allocate secret'), 'the query process has too little memory'],
  [statement('IO Error: Could not write file "secret": No space left on device'), 'the disk is full'],
  [statement('IO Error: Cannot open file "secret"'), 'files cannot be opened, read or written'],
  [statement("Conversion Error: 'secret' is no number"), "the node's log says why"],
  [new AppError('corrupt', 'ERR_SECRET', 'secret'), "the node's log says why"],
  ['secret', "the node's log says why"],
])('%s', (cause, reason) => {
  const record = new WorkRecord(new FakeClock(), what)
  for (let count = 0; count < 3; count++) record.failed(cause)
  expect(record.trouble('compaction')).toMatchObject({ message: `${what}: ${reason}` })
})
