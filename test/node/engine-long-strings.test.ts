import { expect, test } from 'vitest'
import { createLogger } from '../../common/log.ts'
import type { Engine } from '../../storage-node/engine/engine.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { databaseId, openEngine, temporaryFolder, write } from './engine-support.ts'

/**
 * Promise: strings as long as InfluxDB takes them cost no more than their bytes: flushes, compactions and reads of them fit
 * into the memory of a small node.
 */

const textBytes = 65_535
const pointsPerWrite = 25

/** Reads all strings of the measurement. @returns how many there are of the length */
async function countOf(engine: Engine, length: number): Promise<number> {
  let count = 0
  for await (const { columns } of engine.read({
    databaseId,
    retentionPolicy: 'autogen',
    measurement: 'm',
    seriesIds: [...engine.series(databaseId, 'm')].map(({ id }) => id),
    fields: ['s'],
    minTimeNs: 0n,
    maxTimeNs: 2n ** 62n,
    signal: AbortSignal.timeout(60_000),
  })) {
    const [column] = columns
    if (column?.type === 'string') count += column.values.filter((text) => text.length === length).length
  }
  return count
}

test.each([
  ['small files become one', { flushes: 8, rowsPerFlush: 25, filesBefore: 8, filesAfter: 1 }],
  [
    'a large buffer becomes files that stay',
    { flushes: 1, rowsPerFlush: 300, filesBefore: 2, filesAfter: 2 },
  ],
])('strings of 64 KiB: %s', async (_, { flushes, rowsPerFlush, filesBefore, filesAfter }) => {
  await using folder = await temporaryFolder()
  const clock = new FakeClock()
  const failures: string[] = []
  const log = createLogger('test', {
    level: 'warn',
    destination: { write: (line: string) => void failures.push(line) },
  })
  const engine = await openEngine(folder.path, { clock, log })
  let timeNs = 0
  for (let flush = 0; flush < flushes; flush++) {
    for (let from = 0; from < rowsPerFlush; from += pointsPerWrite) {
      const lines = Array.from({ length: pointsPerWrite }, (__, k) => {
        timeNs += 1_000
        return `m,t=${k % 4} s="${String(timeNs).padEnd(textBytes, `${timeNs} and so on `)}" ${timeNs}`
      })
      await write(engine, lines.join('\n'))
    }
    await engine.flush()
  }
  expect(engine.stats().files).toBe(filesBefore)
  expect(await countOf(engine, textBytes)).toBe(flushes * rowsPerFlush)
  await clock.advance(6_000)
  await expect.poll(() => engine.stats().files).toBe(filesAfter)
  expect(await countOf(engine, textBytes)).toBe(flushes * rowsPerFlush)
  expect(failures).toEqual([])
  await engine.close()
})
