import { expect, test } from 'vitest'
import { deleteRecord } from './delete.ts'
import { StoredDatabase } from './stored-database.ts'
import { everyTimeNs } from './tombstones.ts'

/** Promise: what a delete says goes into the log and the manifest as these have it, so that the next start can read it. */
test.each([null, [0]])(
  'a request that carries more than a delete has leaves it out: series %j',
  (seriesIds) => {
    const database = new StoredDatabase('00000000000000aa')
    database.catalog.addSeries('["m"]')
    const parts = { databaseId: database.id, retentionPolicy: null, measurement: 'm', ...everyTimeNs }
    const request = { ...parts, seriesIds, condition: 'of the caller' }
    const series = seriesIds && [0, 0]
    expect(deleteRecord(database, request)).toEqual({ kind: 'delete', ...parts, series })
  },
)
