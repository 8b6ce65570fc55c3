import { expect, test } from 'vitest'
import { turnsOf } from '../../storage-node/query/influxql/in-turns.ts'
import type { Expr } from '../../storage-node/query/influxql/ast.ts'
import { deleteRequestOf } from '../../storage-node/query/influxql/delete.ts'
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
    const generation = engine.generation(databaseId)
    const request = { databaseId, generation, retentionPolicy: null, measurement: 'm', ...everyTimeNs }
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

test('nor does one whose series are being looked for while the database is deleted and comes again', async () => {
  await using folder = await temporaryFolder()
  const engine = await openEngine(folder.path)
  try {
    const linesOf = (tag: string) => Array.from({ length: 600 }, (_, k) => `m,t=${tag},k=${k} v=1 ${k}`)
    await write(engine, linesOf('old').join('\n'))
    let turns = 0
    const comeAgain = async () => {
      if (++turns > 1) return
      await engine.deleteDatabase(databaseId)
      await write(engine, linesOf('new').join('\n'))
    }
    const { signal } = new AbortController()
    const range = { minNs: null, maxNs: null }
    const isOld: Expr = {
      kind: 'binary',
      operator: '=',
      left: { kind: 'ref', name: 't', type: 'unknown' },
      right: { kind: 'string', value: 'old' },
    }
    const deletion = { databaseId, retentionPolicy: null, sources: [], condition: isOld, range }
    const request = await deleteRequestOf(deletion, engine, turnsOf({ endTurn: comeAgain, signal }))
    expect(request!.seriesIds!.length).toBeGreaterThan(0)
    await engine.delete(request!)
    expect(await readAll(engine)).toHaveLength(600)
  } finally {
    await engine.close()
  }
})
