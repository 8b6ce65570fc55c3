import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { FakeClock } from '../support/fake-clock.ts'
import { allFiles, openEngine, readAll, temporaryFolder, write } from './engine-support.ts'

/** Promise: two points of one series and time are one, with the later value of each field, wherever each of them lies. */

describe('merging', () => {
  test('the later value of each field wins across files, buffers and restarts', async () => {
    await using folder = await temporaryFolder()
    let engine = await openEngine(folder.path)
    await write(engine, 'm,t=a v=1,w=1 10\nm,t=a v=1 20\nm,t=b v=1 10')
    await engine.flush()
    await write(engine, 'm,t=a v=2 10\nm,t=a v=2 15')
    await engine.flush()
    await write(engine, 'm,t=a w=3 20\nm,t=a v=3 20\nm,t=b w=3 5')
    const wanted = { fields: ['v', 'w'] }
    const expected = ['{t=a} 10 v=2,w=1', '{t=a} 15 v=2', '{t=a} 20 v=3,w=3', '{t=b} 5 w=3', '{t=b} 10 v=1']
    expect(await readAll(engine, wanted)).toEqual(expected)
    expect(engine.stats()).toMatchObject({ files: 2, bufferedRows: 3 })
    await engine.close()
    engine = await openEngine(folder.path)
    expect(await readAll(engine, wanted)).toEqual(expected)
    expect(engine.stats()).toMatchObject({ files: 3, bufferedRows: 0 })
    await engine.close()
  })

  test('random writes over many flushes read as a map of the last values would', async () => {
    await using folder = await temporaryFolder()
    const engine = await openEngine(folder.path)
    const model = new Map<string, number>()
    let state = 42
    const random = (below: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
      return (state >>> 8) % below
    }
    for (let round = 0; round < 12; round++) {
      const lines: string[] = []
      for (let k = 0; k < 400; k++) {
        const [series, timeNs, field, value] = [random(7), random(60), random(3), random(1000)]
        lines.push(`m,t=${series} f${field}=${value} ${timeNs}`)
        model.set(`${series} ${timeNs} f${field}`, value)
      }
      await write(engine, lines.join('\n'))
      if (round % 3 !== 2) await engine.flush()
    }
    const points = await readAll(engine, { fields: ['f0', 'f1', 'f2'] })
    const seen = new Map<string, number>()
    for (const point of points) {
      const [, series, timeNs, values] = /^\{t=(\d)\} (\d+) (.*)$/.exec(point)!
      for (const value of values!.split(',')) {
        const [field, number] = value.split('=')
        seen.set(`${series} ${timeNs} ${field}`, Number(number))
      }
    }
    expect(seen).toEqual(model)
    expect(new Set(points.map((point) => point.split(' ').slice(0, 2).join(' '))).size).toBe(points.length)
    await engine.close()
  })

  test('many small files become one, and every read stays what it was', async () => {
    await using folder = await temporaryFolder()
    const clock = new FakeClock()
    let engine = await openEngine(folder.path, { clock })
    for (let round = 0; round < 9; round++) {
      const lines = Array.from(
        { length: 300 },
        (_, k) => `m,t=${k % 5} f${round % 3}=${round * 1000 + k}.5 ${k % 50}`,
      )
      await write(engine, [...lines, `m,t=late${round} s="x${round}" ${round}`].join('\n'))
      await engine.flush()
    }
    const wanted = { fields: ['f0', 'f1', 'f2', 's'] }
    const before = await readAll(engine, wanted)
    expect([before.length, engine.stats().files]).toEqual([59, 9])
    await clock.advance(5_000)
    await expect.poll(() => engine.stats().files).toBe(1)
    expect(await readAll(engine, wanted)).toEqual(before)
    await write(engine, 'm,t=0 f0=-1 0')
    const after = before.map((point) =>
      point.startsWith('{t=0} 0 ') ? point.replace(/f0=[^,]*/, 'f0=-1') : point,
    )
    expect(after).not.toEqual(before)
    expect(await readAll(engine, wanted)).toEqual(after)
    await engine.close()
    const names = [...(await allFiles(folder.path)).keys()]
    expect(names.filter((name) => name.endsWith('.parquet'))).toHaveLength(2)
    engine = await openEngine(folder.path)
    expect(await readAll(engine, wanted)).toEqual(after)
    await engine.close()
  })

  test('a read gives only the series and times asked for, in the order asked for', async () => {
    await using folder = await temporaryFolder()
    const engine = await openEngine(folder.path)
    await write(engine, Array.from({ length: 100 }, (_, k) => `m,t=${k % 4} v=${k} ${k}`).join('\n'))
    await engine.flush()
    await write(engine, Array.from({ length: 40 }, (_, k) => `m,t=${k % 4} v=${k} ${100 + k}`).join('\n'))
    const wanted = { seriesIds: [3, 1], minTimeNs: 95n, maxTimeNs: 103n }
    const expected = ['{t=3} 95 v=95', '{t=3} 99 v=99', '{t=3} 103 v=3', '{t=1} 97 v=97', '{t=1} 101 v=1']
    expect(await readAll(engine, wanted)).toEqual(expected)
    expect(await readAll(engine, { ...wanted, retentionPolicy: 'other' })).toEqual([])
    expect(await readAll(engine, { ...wanted, fields: ['absent'] })).toEqual([])
    await engine.close()
  })

  test('reads during writes and flushes see each point once', async () => {
    await using folder = await temporaryFolder()
    const engine = await openEngine(folder.path)
    const progress = { written: 0 }
    const writing = (async () => {
      for (let round = 0; round < 10; round++) {
        await write(engine, Array.from({ length: 500 }, (_, k) => `m v=1 ${round * 500 + k}`).join('\n'))
        progress.written = (round + 1) * 500
        await engine.flush()
      }
    })()
    while (progress.written < 5_000) {
      await setImmediate()
      const before = progress.written
      const points = await readAll(engine)
      expect(new Set(points).size).toBe(points.length)
      expect(points.length).toBeGreaterThanOrEqual(before)
    }
    await writing
    await engine.close()
  })
})
