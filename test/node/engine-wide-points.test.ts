import { expect, test } from 'vitest'
import { openEngine, readAll, temporaryFolder, write } from './engine-support.ts'

// Attacks the promise that whatever a write is acknowledged for gets into files: one point with more fields, and one
// with longer strings, than the query process can gather for one file.

test('a point of 4,000 fields and one of 44 MB get into files and are merged', async () => {
  await using folder = await temporaryFolder()
  const engine = await openEngine(folder.path, { fields: 10_000, memoryLimitBytes: 256 * 1024 * 1024 })
  const line = (from: number, value: number) =>
    `m ${Array.from({ length: 4_000 }, (_, k) => `f${from + k}=${value}`).join()} 1`
  await write(engine, line(0, 1))
  for (let k = 0; k < 11; k++)
    await write(engine, `n s${k}="${String(k).repeat(4_000_000 / String(k).length)}" 1`)
  await engine.flush()
  expect(engine.stats()).toMatchObject({ bufferedRows: 0 })
  // Some are newer, some older, some in the buffer, and what is compared lies in another file than what is asked for.
  await write(engine, line(2_000, 2))
  await engine.flush()
  await write(engine, 'm f3=3,f5999=3 1')
  const fields = ['f0', 'f3', 'f1999', 'f2000', 'f3999', 'f5998', 'f5999']
  expect(await readAll(engine, { fields })).toEqual([
    '{} 1 f0=1,f3=3,f1999=1,f2000=2,f3999=2,f5998=2,f5999=3',
  ])
  const [texts] = await readAll(engine, { measurement: 'n', fields: ['s0', 's10'] })
  expect(texts!.length).toBe('{} 1 s0=,s10='.length + 8_000_000)
  await engine.close()
  const again = await openEngine(folder.path, { fields: 10_000, memoryLimitBytes: 256 * 1024 * 1024 })
  expect(await readAll(again, { fields: ['f7', 'f5000'] })).toEqual(['{} 1 f7=1,f5000=2'])
  await again.close()
}, 60_000)
