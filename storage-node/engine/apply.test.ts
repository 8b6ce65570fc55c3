import { expect, test } from 'vitest'
import { parseLines } from '../line-protocol/parse.ts'
import { applyWrite } from './apply.ts'
import { StoredDatabase } from './stored-database.ts'

const limits = { databaseSeries: null, organizationSeries: null, fieldsPerMeasurement: 10 }

test('what would make more measurements than a database may have is left out, and the rest is kept', () => {
  const database = new StoredDatabase('a'.repeat(16))
  const write = (lines: string) =>
    applyWrite(
      database,
      {
        kind: 'write',
        databaseId: database.id,
        retentionPolicy: 'autogen',
        cutoffNs: null,
        limits,
        tables: parseLines(Buffer.from(lines), 'ns', 0n).tables,
      },
      0,
    )
  const lines = (from: number, count: number) =>
    Array.from({ length: count }, (_, index) => `m${from + index} v=1 1`).join('\n')

  expect(write(lines(0, 9_999))).toEqual({ accepted: 9_999, problems: [] })
  expect(write(lines(9_990, 20))).toEqual({
    accepted: 10,
    problems: [
      { kind: 'limit', message: 'max-measurements-per-database limit exceeded: (10000)', dropped: 10 },
    ],
  })
  expect(write('m9999 v=2 2')).toEqual({ accepted: 1, problems: [] })
})
