import { expect, test } from 'vitest'
import { everyTimeNs } from '../../storage-node/engine/tombstones.ts'
import { databaseId, openEngine, readAll, temporaryFolder, write } from './engine-support.ts'

/**
 * Promise: a delete takes away what its series were when it was asked for. A database that was deleted meanwhile and
 * came again has other series, though they have the same numbers.
 */
test('a delete of series of a database that came again takes nothing from it', async () => {
  await using folder = await temporaryFolder()
  const engine = await openEngine(folder.path)
  try {
    await write(engine, 'm,t=old v=1 1')
    const [old] = [...engine.series(databaseId, 'm')]
    const request = { databaseId, retentionPolicy: null, measurement: 'm', ...everyTimeNs }
    const before = [engine.deleteDatabase(databaseId), write(engine, 'm,t=new v=2 2')]
    // Both are on their way into the log, and neither has been applied: that takes more than a promise or two.
    for (let step = 0; step < 20; step++) await Promise.resolve()
    expect([...engine.series(databaseId, 'm')]).toEqual([old])
    await Promise.all([...before, engine.delete({ ...request, seriesIds: [old!.id] })])
    const [again] = [...engine.series(databaseId, 'm')]
    expect(again!.id).toBe(old!.id)
    expect(await readAll(engine)).toEqual(['{t=new} 2 v=2'])
  } finally {
    await engine.close()
  }
})
