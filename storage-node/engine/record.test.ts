import { expect, test } from 'vitest'
import type { BatchTable } from '../line-protocol/batch.ts'
import { parseLines } from '../line-protocol/parse.ts'
import { decodeLogRecord, encodeLogRecord, type LogRecord } from './record.ts'

/** Promise: replaying a record sees exactly what was written. */

const limits = { databaseSeries: null, organizationSeries: 5, fieldsPerMeasurement: 10 }

/** Of a series only the key is kept. */
function tablesOf(lines: string): BatchTable[] {
  const { tables } = parseLines(Buffer.from(lines), 'ns', 0n)
  return tables.map((table) => ({ ...table, series: table.series.map(({ key }) => ({ key })) }))
}

test.each([
  'm,a=1,b=é v=1.5,i=-1i,u=18446744073709551615u,s="héé 😀",t=T 1\nm,a=1 v=-0 -9223372036854775806',
  'm s="" 1\nm s="\u0000",v=1 2\nm v=2 3',
  'a v=1 1\nb v=2 2\na,x=y v=3,w="z" 3',
  'm v=127,w=-128i,x=0u 1\nm v=-128,w=127i,x=127u 2',
  'm v=32767,w=-32768i,x=128u 1\nm v=128,w=129i,x=32767u 2',
  'm v=2147483647,w=-2147483648i,x=2147483647u 1\nm v=-2147483648,w=2147483647i 2',
  'm v=2147483648,w=-2147483649i,x=2147483648u 1\nm v=1,w=2147483648i,x=4294967295u 2',
  'm v=-0 1\nm v=1 2',
  'm a=1,b=1i,c=1u,d=t,e="x" 1\nm z=1 2\nm a=2,b=-2i,c=2u,d=f,e="" 3\nm z=2 4',
])('a write comes back as it was: %j', (lines) => {
  const tables = tablesOf(lines)
  const record: LogRecord = {
    kind: 'write',
    databaseId: 'a'.repeat(16),
    retentionPolicy: 'autogen',
    cutoffNs: -9223372036854775808n,
    limits,
    tables,
  }
  expect(decodeLogRecord(encodeLogRecord(record))).toEqual(record)
})

test('a record is as large as what it holds: many fields, each in one point', () => {
  const lines = Array.from({ length: 500 }, (_, index) => `m f${index}=${index} ${index}`).join('\n')
  const tables = tablesOf(lines)
  const record: LogRecord = {
    kind: 'write',
    databaseId: 'a'.repeat(16),
    retentionPolicy: 'autogen',
    cutoffNs: null,
    limits,
    tables,
  }
  const bytes = encodeLogRecord(record)
  expect(bytes.length).toBeLessThan(8 * lines.length)
  expect(decodeLogRecord(bytes)).toEqual(record)
})

test('a deletion comes back as it was', () => {
  const record: LogRecord = { kind: 'delete-database', databaseId: 'a'.repeat(16) }
  expect(decodeLogRecord(encodeLogRecord(record))).toEqual(record)
})

test('a record of a kind that a later version wrote is refused, not skipped', () => {
  const head = Buffer.from('{"kind":"later"}')
  const length = Buffer.alloc(4)
  length.writeUInt32LE(head.length)
  expect(() => decodeLogRecord(Buffer.concat([length, head]))).toThrow(
    expect.objectContaining({ code: 'ERR_LOG_RECORD_KIND' }),
  )
})
