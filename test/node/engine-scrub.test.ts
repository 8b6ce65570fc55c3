import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { openEngine, temporaryFolder, write } from './engine-support.ts'

/** Promise: damage that no query comes upon is found all the same, the file is named, and the node changes nothing more. */

const hourMs = 3_600_000

async function flip(folder: string, kind: 'files' | 'log', suffix: string): Promise<string> {
  const names = (await readdir(join(folder, kind))).filter((name) => name.endsWith(suffix))
  const path = join(folder, kind, names[0]!)
  const content = await readFile(path)
  content[Math.floor(content.length / 2)]! ^= 4
  await writeFile(path, content)
  return join(kind, names[0]!)
}

test.each([
  ['files', '.parquet'],
  ['files', '.dictionary'],
  ['log', '.log'],
] as const)('a flipped bit in %s/*%s', async (kind, suffix) => {
  await using first = await temporaryFolder()
  await using folder = await temporaryFolder()
  const before = await openEngine(first.path)
  await write(before, Array.from({ length: 500 }, (_, k) => `m,t=${k % 7} v=${k} ${k}`).join('\n'))
  await before.flush()
  // As a kill leaves it: what is not in files is in a segment that the next engine appends nothing to.
  await write(before, Array.from({ length: 500 }, (_, k) => `m,t=${k % 7} v=${k} ${k + 1_000}`).join('\n'))
  await cp(first.path, folder.path, { recursive: true })
  await before.close()
  const clock = new FakeClock()
  const engine = await openEngine(folder.path, { clock, scrubIntervalMs: hourMs })
  const isUnderWay = () =>
    engine.damage.length === 0 && engine.stats().checkEndedMs < clock.nowMs() - hourMs / 2
  const intact = async () => {
    for (let round = 0; isUnderWay() && round < 100; round++) {
      await clock.advance(5_000)
      // Reading takes its own time, whatever the clock says.
      for (let turn = 0; isUnderWay() && turn < 10; turn++) await systemClock.sleep(20)
    }
    return engine.damage.length === 0
  }
  if (kind === 'files') {
    clock.jump(hourMs)
    expect(await intact()).toBe(true)
    expect(engine.stats().checkedFiles).toBeGreaterThan(1)
  }
  // A flush would take the segments away: the clock leaps over the ten minutes after which one is due.
  clock.jump(hourMs)
  const damaged = await flip(folder.path, kind, suffix)
  await expect.poll(intact).toBe(false)
  expect(engine.damage.map(({ file }) => file)).toEqual([damaged])
  await expect(write(engine, 'm v=1 1')).rejects.toMatchObject({ code: 'ERR_READ_ONLY' })
  await engine.close()
})
