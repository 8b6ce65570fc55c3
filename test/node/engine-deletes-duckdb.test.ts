import { describe, expect, test } from 'vitest'
import type { Engine } from '../../storage-node/engine/engine.ts'
import type { DeleteRequest } from '../../storage-node/engine/delete.ts'
import { everyTimeNs } from '../../storage-node/engine/tombstones.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { allFiles, databaseId, openEngine, readAll, temporaryFolder, write } from './engine-support.ts'

/** Promise: DuckDB leaves out what deletes say, of every type and of every series, and files in the end do not hold it. */

const wanted = { fields: ['v', 'i', 'u', 's', 'b'] }

/** Points of 40 series at ten times, every type of field among them. */
const lines = Array.from({ length: 400 }, (_, k) => {
  const fields = [`v=${k}.5`, `i=${k}i`, `u=${k}u`, `s="x${k}"`, `b=${k % 2 === 0}`]
  return `m,t=${k % 40} ${fields[k % 5]} ${Math.floor(k / 40)}`
})

const remove = (engine: Engine, tags: readonly number[] | null, times: Partial<DeleteRequest> = {}) =>
  engine.delete({
    databaseId,
    retentionPolicy: null,
    measurement: 'm',
    ...everyTimeNs,
    ...times,
    generation: engine.generation(databaseId),
    seriesIds:
      tags &&
      [...engine.series(databaseId, 'm')]
        .filter((series) => tags.includes(Number(series.tags.get('t'))))
        .map(({ id }) => id),
  })

describe('deletes', () => {
  test('by scattered series and by times, before and after files are written again', async () => {
    await using folder = await temporaryFolder()
    const clock = new FakeClock()
    let engine = await openEngine(folder.path, { clock })
    await write(engine, lines.slice(0, 200).join('\n'))
    await engine.flush()
    await write(engine, lines.slice(200).join('\n'))
    await engine.flush()
    const before = await readAll(engine, wanted)
    expect(before).toHaveLength(400)
    const odd = Array.from({ length: 20 }, (_, k) => 2 * k + 1)
    await remove(engine, odd, { minTimeNs: 3n, maxTimeNs: 6n })
    await remove(engine, [2, 3, 4, 20], { minTimeNs: 0n, maxTimeNs: 2n ** 63n - 1n })
    await remove(engine, null, { minTimeNs: -(2n ** 63n), maxTimeNs: 0n })
    const left = before.filter((point) => {
      const [, tag, timeNs] = /^\{t=(\d+)\} (\d+) /.exec(point)!.map(Number)
      const isDeleted =
        (tag! % 2 === 1 && timeNs! >= 3 && timeNs! <= 6) || [2, 3, 4, 20].includes(tag!) || timeNs === 0
      return !isDeleted
    })
    expect(left.length).toBeGreaterThan(200)
    expect(await readAll(engine, wanted)).toEqual(left)
    expect(await readAll(engine, { ...wanted, seriesIds: [5], minTimeNs: 2n, maxTimeNs: 7n })).toHaveLength(2)
    expect(engine.stats().tombstones).toBe(3)
    await engine.close()

    engine = await openEngine(folder.path, { clock })
    expect(engine.stats().tombstones).toBe(3)
    expect(await readAll(engine, wanted)).toEqual(left)
    await clock.advance(5_000)
    await expect.poll(() => engine.stats().tombstones).toBe(0)
    expect(await readAll(engine, wanted)).toEqual(left)
    await engine.close()
    engine = await openEngine(folder.path)
    expect(await readAll(engine, wanted)).toEqual(left)
    await engine.close()
  })

  test('a dropped measurement is gone from the disk, and comes again with other types', async () => {
    await using folder = await temporaryFolder()
    let engine = await openEngine(folder.path)
    await write(engine, lines.join('\n'))
    await engine.flush()
    await remove(engine, null)
    expect(engine.measurements(databaseId)).toEqual([])
    await engine.flush()
    const names = [...(await allFiles(folder.path)).keys()]
    expect(names.filter((name) => name.endsWith('.parquet'))).toEqual([])
    const { accepted } = await write(engine, 'm,t=0 v="text",i=true 1')
    expect(accepted).toBe(1)
    await engine.close()
    engine = await openEngine(folder.path)
    expect(await readAll(engine, { fields: ['v', 'i'] })).toEqual(['{t=0} 1 v=text,i=true'])
    expect([...engine.series(databaseId, 'm')]).toHaveLength(1)
    await engine.close()
  })

  test('of series that were dropped nothing is read, whatever comes to be in their place', async () => {
    await using folder = await temporaryFolder()
    const engine = await openEngine(folder.path)
    await write(engine, lines.join('\n'))
    await engine.flush()
    await remove(engine, [7])
    await write(engine, 'm,t=7 v=-1 100')
    await engine.flush()
    const points = await readAll(engine, wanted)
    expect(points.filter((point) => point.startsWith('{t=7}'))).toEqual(['{t=7} 100 v=-1'])
    expect(points).toHaveLength(391)
    await engine.close()
  })

  test('too many groups of series, and too many deletes, are refused before they are done', async () => {
    await using folder = await temporaryFolder()
    const engine = await openEngine(folder.path)
    const many = Array.from({ length: 20_010 }, (_, k) => `m,t=${k} v=1 ${k}`)
    await write(engine, many.join('\n'))
    await engine.flush()
    const even = [...engine.series(databaseId, 'm')].filter(({ id }) => id % 2 === 0)
    const generation = engine.generation(databaseId)
    const request = { databaseId, generation, retentionPolicy: null, measurement: 'm', ...everyTimeNs }
    const times = { minTimeNs: 1n, maxTimeNs: 20_000n }
    const seriesIds = even.map(({ id }) => id)
    await expect(engine.delete({ ...request, ...times, seriesIds })).rejects.toMatchObject({
      code: 'ERR_DELETE_SERIES',
    })
    const half = { ...request, seriesIds: seriesIds.slice(0, 9_000) }
    const at = (timeNs: bigint) => ({ ...half, minTimeNs: timeNs, maxTimeNs: timeNs + 100n })
    // The same again and again takes no more room than once; spans of time that touch are one.
    for (let count = 0; count < 4; count++) await engine.delete(at(1_000n))
    expect(engine.stats().tombstones).toBe(1)
    await engine.delete(at(1_101n))
    await engine.delete(at(2_000n))
    await expect(engine.delete(at(3_000n))).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'ERR_TOO_MANY_DELETES',
    })
    expect(engine.stats().tombstones).toBe(3)
    await engine.delete({ ...at(3_000n), seriesIds: [0] })
    await engine.close()
  })

  test('hundreds of deletes of one file are left out of a read, more are refused until it is written again', async () => {
    await using folder = await temporaryFolder()
    const clock = new FakeClock()
    const engine = await openEngine(folder.path, { clock })
    const many = Array.from({ length: 2_000 }, (_, k) => `m,t=${k % 500} v=1 ${k}`)
    await write(engine, many.join('\n'))
    await engine.flush()
    const generation = engine.generation(databaseId)
    const request = { databaseId, generation, retentionPolicy: null, measurement: 'm' }
    // Of one span of time, or next to each other: as one.
    for (let id = 0; id < 300; id += 3)
      await engine.delete({ ...request, seriesIds: [id], minTimeNs: 0n, maxTimeNs: 499n })
    for (let timeNs = 500n; timeNs < 800n; timeNs++)
      await engine.delete({ ...request, seriesIds: null, minTimeNs: timeNs, maxTimeNs: timeNs })
    expect(await readAll(engine)).toHaveLength(2_000 - 100 - 300)
    // Apart from each other: each is one.
    const apart = (k: number) =>
      engine.delete({
        ...request,
        seriesIds: null,
        minTimeNs: 1_000n + BigInt(2 * k),
        maxTimeNs: 1_000n + BigInt(2 * k),
      })
    for (let k = 0; k < 254; k++) await apart(k)
    await expect(apart(254)).rejects.toMatchObject({ kind: 'unavailable', code: 'ERR_TOO_MANY_DELETES' })
    const left = await readAll(engine)
    expect(left).toHaveLength(2_000 - 100 - 300 - 254)
    await clock.advance(5_000)
    await expect.poll(() => engine.stats().tombstones).toBe(0)
    expect(await readAll(engine)).toEqual(left)
    await apart(254)
    await engine.close()
  })
})
